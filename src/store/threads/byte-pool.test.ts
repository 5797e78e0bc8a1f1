import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noiseBytes, rowBytes, scratchFolder } from '../testing/scratch-repository.ts';
import { BytePool } from './byte-pool.ts';
import { type ByteResult, type ByteTask, performTask } from './byte-task.ts';
import { inParallel } from './in-parallel.ts';

let folder: Awaited<ReturnType<typeof scratchFolder>>;
let entry: URL;
beforeAll(async () => {
  folder = await scratchFolder();
  const outfile = join(folder.path, 'byte-thread.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('./byte-thread.ts', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    alias: { fzstd: fileURLToPath(new URL('../../../node_modules/fzstd', import.meta.url)) },
    logLevel: 'error',
  });
  entry = pathToFileURL(outfile);
});
afterAll(() => folder.dispose());

const CHUNK = 65_536;
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Chunks of every sort, enough of them to start threads. */
function chunks(): Buffer[] {
  return Array.from({ length: 320 }, (_, index) => {
    if (index % 5 === 0) return noiseBytes(CHUNK, index);
    if (index % 7 === 0) return Buffer.alloc(CHUNK);
    const rows = Buffer.from(rowBytes(CHUNK));
    rows.writeUInt32LE(index, 100);
    return index % 11 === 0 ? rows.subarray(0, 1 + index * 7) : rows;
  });
}

/** The same for the same result; comparing buffers byte by byte would take most of the test's time. */
function shown({ bytes, codec, id }: ByteResult): string {
  return `${codec} ${id} ${bytes === null ? null : sha256(bytes)}`;
}

const alone = (task: ByteTask): string => shown(performTask(task));

async function runAll(pool: BytePool, tasks: readonly ByteTask[]): Promise<string[]> {
  const results: string[] = [];
  await inParallel(tasks.entries(), 48, async ([index, task]) => {
    results[index] = await pool.run(task).then(shown, (error: Error) => `failed: ${error.message}`);
  });
  return results;
}

describe('BytePool', () => {
  it('gives what the calling thread would have given, and starts threads only for much work', async () => {
    const pool = new BytePool(entry);
    await pool.run({ kind: 'compress', codec: 'brotli', bytes: rowBytes(CHUNK) });
    expect(pool.threads).toBe(0);
    const tasks = chunks().map((bytes): ByteTask => ({ kind: 'compress', codec: 'brotli', bytes }));
    const compressed = await runAll(pool, tasks);
    expect(pool.threads).toBeGreaterThan(0);
    expect(compressed).toEqual(tasks.map(alone));
    const decodes = tasks.map(({ bytes }, index): ByteTask => {
      const { bytes: stored, codec } = performTask(tasks[index]!);
      const wanted = (['plain', 'id', 'both'] as const)[index % 3]!;
      return { kind: 'decode', codec, bytes: stored ?? bytes, plainBytes: bytes.length, wanted };
    });
    expect(await runAll(pool, decodes)).toEqual(decodes.map(alone));
  });

  it('reads shared memory in place, however large', async () => {
    const pool = new BytePool(entry);
    const shared = Buffer.from(new SharedArrayBuffer(24 * 1024 * 1024));
    noiseBytes(100_000).copy(shared, 5_000_000);
    const hashed = await pool.run({ kind: 'hash', bytes: shared });
    expect(pool.threads).toBeGreaterThan(0);
    expect(hashed.id).toBe(sha256(shared));
  });

  it('a record that does not decode is an error of its own, and stops nothing else', async () => {
    const pool = new BytePool(entry);
    const good = chunks().map((bytes): ByteTask => ({ kind: 'compress', codec: 'brotli', bytes }));
    await runAll(pool, good);
    const bad: ByteTask = {
      kind: 'decode',
      codec: 'brotli',
      bytes: noiseBytes(1000),
      plainBytes: CHUNK,
      wanted: 'id',
    };
    const [first, failure, last] = await runAll(pool, [good[1]!, bad, good[2]!]);
    expect(first).toBe(alone(good[1]!));
    expect(failure).toMatch(/^failed: /);
    expect(last).toBe(alone(good[2]!));
  });

  it('does the work itself where its threads cannot start or die', async () => {
    const broken = join(folder.path, 'broken.mjs');
    await writeFile(
      broken,
      "import { parentPort } from 'node:worker_threads'; parentPort.once('message', () => process.exit(7));",
    );
    for (const program of [pathToFileURL(broken), pathToFileURL(join(folder.path, 'none.mjs'))]) {
      const pool = new BytePool(program);
      const tasks = chunks().map(
        (bytes): ByteTask => ({ kind: 'compress', codec: 'brotli', bytes }),
      );
      expect(await runAll(pool, tasks)).toEqual(tasks.map(alone));
      expect(pool.threads).toBe(0);
    }
    await rm(broken);
  });
});
