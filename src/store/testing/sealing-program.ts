import { writeFileSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { NONCE_BYTES, SealingKey } from '../encryption/sealing-key.ts';

/** Run in a process of its own, `<count> <threads> <file>`: seals under one key everywhere, and writes down the nonces. */

const CONTENT = Buffer.from('the same content');
const key = new SealingKey(Buffer.alloc(32, 0x33));

function nonces(count: number): Buffer {
  const all = Buffer.allocUnsafe(count * NONCE_BYTES);
  for (let at = 0; at < count; at += 1) {
    key.seal(CONTENT, CONTENT).copy(all, at * NONCE_BYTES, 0, NONCE_BYTES);
  }
  return all;
}

async function main([count, threads, file]: string[]): Promise<void> {
  const others = Array.from(
    { length: Number(threads) },
    () =>
      new Promise<Buffer>((resolve, reject) => {
        const thread = new Worker(process.argv[1]!, { workerData: Number(count) });
        thread.once('message', (bytes: Uint8Array) => resolve(Buffer.from(bytes)));
        thread.once('error', reject);
      }),
  );
  writeFileSync(file!, Buffer.concat([nonces(Number(count)), ...(await Promise.all(others))]));
}

if (isMainThread) await main(process.argv.slice(2));
else parentPort!.postMessage(nonces(workerData as number));
