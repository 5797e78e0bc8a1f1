import { spawn } from 'node:child_process';
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { recordProof } from '../../kernel/testing/record-proof.ts';
import { EMPTY_NOTES } from '../manifests/manifest.ts';
import { addKeySlot, pruneRepository } from '../repository.ts';
import { encryptedRepository, testKey } from '../testing/encrypted-repository.ts';
import {
  activity,
  commitFile,
  noiseBytes,
  rowBytes,
  scratchFolder,
  writerOf,
} from '../testing/scratch-repository.ts';
import { repeatedNonces, SealedMessages } from '../testing/sealed-messages.ts';
import { NONCE_BYTES, SealingKey } from './sealing-key.ts';

/** What the system gave as random bytes, in the order in which it did. */
const given = vi.hoisted(() => ({ all: [] as Buffer[] }));
vi.mock('node:crypto', async (importOriginal) => {
  const crypto = await importOriginal<typeof import('node:crypto')>();
  const randomFillSync = (target: Buffer): Buffer => {
    crypto.randomFillSync(target);
    given.all.push(Buffer.from(target));
    return target;
  };
  return { ...crypto, default: { ...crypto, randomFillSync }, randomFillSync };
});

/** HOLDFAST_TEST_SEALS: messages sealed by each thread. */
const seals = Number(process.env['HOLDFAST_TEST_SEALS'] ?? 2_000);
const PROCESSES = 3;
const ROUNDS = 2;
const THREADS = 2;

let folder: Awaited<ReturnType<typeof scratchFolder>>;
beforeAll(async () => {
  folder = await scratchFolder();
});
afterAll(() => folder.dispose());

describe('nonces', () => {
  it('are bytes of the system, each of them used for one message alone, in order', () => {
    given.all.length = 0;
    const key = new SealingKey(Buffer.alloc(32, 4));
    const used: Buffer[] = [];
    for (let round = 0; round < 1000; round += 1) {
      used.push(key.seal(Buffer.of(1), Buffer.alloc(0)).subarray(0, NONCE_BYTES));
    }
    // What was left of an earlier helping comes first.
    const stream = Buffer.concat(given.all);
    const first = used.findIndex((nonce) => nonce.equals(stream.subarray(0, NONCE_BYTES)));
    expect(first).toBeGreaterThanOrEqual(0);
    expect(first).toBeLessThan(128);
    for (const [at, nonce] of used.slice(first).entries()) {
      expect(nonce.equals(stream.subarray(at * NONCE_BYTES, (at + 1) * NONCE_BYTES))).toBe(true);
    }
  });

  it(
    'none is used twice under one key: in several threads of several processes, at once and one after the other',
    async () => {
      const program = join(folder.path, 'sealing.mjs');
      await build({
        entryPoints: [fileURLToPath(new URL('../testing/sealing-program.ts', import.meta.url))],
        outfile: program,
        bundle: true,
        platform: 'node',
        format: 'esm',
        target: 'node20',
        logLevel: 'error',
      });
      const files: Buffer[] = [];
      for (const round of Array.from({ length: ROUNDS }).keys()) {
        const names = Array.from({ length: PROCESSES }, (_, at) =>
          join(folder.path, `nonces-${round}-${at}`),
        );
        await Promise.all(names.map((name) => run(program, [`${seals}`, `${THREADS}`, name])));
        for (const name of names) files.push(await readFile(name));
      }
      const all = Buffer.concat(files);
      expect(all.length).toBe(ROUNDS * PROCESSES * (THREADS + 1) * seals * NONCE_BYTES);
      const repeated = repeatedNonces(all);
      expect(repeated).toBe(0);
      recordNonces(all.length / NONCE_BYTES, repeated);
      expect(repeatedNonces(Buffer.concat([all, all.subarray(0, 2 * NONCE_BYTES)]))).toBe(2);
    },
    seals > 2_000 ? 3_600_000 : 30_000,
  );

  it('none is used twice in a repository, its restored copy that is written to as well, and every version of every file', async () => {
    const { path, dispose } = await encryptedRepository();
    const copy = join(folder.path, 'copy');
    const messages = new SealedMessages();
    const change = async (at: string, round: number): Promise<void> => {
      const writer = await writerOf(at, { key: testKey });
      const image = Buffer.concat([rowBytes(200_000), noiseBytes(10_000, round)]);
      const { id } = await commitFile(writer, image, null, round);
      await messages.addRepository(at);
      await writer.writeNotes(id, { ...EMPTY_NOTES, tags: ['same'] });
      await writer.writeNotes(id, { ...EMPTY_NOTES, tags: ['same'] });
      if (round > 2) await writer.removeSnapshots([writer.reader.listSnapshots().at(-1)!.id]);
      await writer.close();
      const limits = { graceMs: 0, unusedShare: 0, dryRun: false, lockWaitMs: 0, key: testKey };
      await pruneRepository(at, { clock: systemClock, ...limits }, activity);
      await messages.addRepository(at);
    };
    await change(path, 0);
    await addKeySlot(
      path,
      { kind: 'keyFile', bytes: Buffer.alloc(32, 7) },
      {
        clock: systemClock,
        lockWaitMs: 0,
        key: testKey,
      },
    );
    await cp(path, copy, { recursive: true });
    // The same changes on both: the same content is sealed under the same key again.
    for (let round = 1; round < 5; round += 1) {
      await change(path, round);
      await change(copy, round);
    }
    expect(messages.repeated).toEqual([]);
    expect(messages.distinct).toBeGreaterThan(50);
    await dispose();
  });
});

/** The short sample leaves nothing behind: it is not asked to. */
function recordNonces(messages: number, repeated: number): void {
  recordProof({
    suite: 'encryption-nonces',
    promise: 'No two messages are ever sealed under the same key and nonce.',
    how: 'The same content was sealed under one key by several threads of several processes at once, then again by new processes; all nonces were compared.',
    command: 'npm run test:encryption',
    figures: {
      'sealed messages': messages,
      'distinct nonces': messages - repeated,
      'runs of a process': ROUNDS * PROCESSES,
      'threads in each': THREADS + 1,
    },
    failures: repeated,
    seeds: 'none',
  });
}

function run(program: string, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [program, ...args], { stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`ended with ${code}`)),
    );
  });
}
