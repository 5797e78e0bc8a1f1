import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordKeyOf } from '../encryption/record-seal.ts';
import { deriveKeys, type RepositoryKeys } from '../encryption/repository-keys.ts';
import { compress, decompress } from '../format/codec.ts';
import { objectId } from '../format/object-id.ts';
import { encodeRecordHeader } from '../format/record.ts';
import { xorWithBase } from '../format/xor.ts';
import { noiseBytes, rowBytes, scratchFolder } from '../testing/scratch-repository.ts';
import { BytePool } from './byte-pool.ts';
import type {
  ByteResult,
  ByteTask,
  CompressTask,
  DecodeTask,
  DeltaTask,
  Sealing,
} from './byte-task.ts';
import { inParallel } from './in-parallel.ts';
import { performTask } from './perform-task.ts';
import { runIds } from './record-run.ts';

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
function shown({ bytes, codec, id, ids }: ByteResult): string {
  return `${codec} ${id} ${bytes === null ? null : sha256(bytes)} ${ids}`;
}

function inShared(bytes: Buffer): Buffer {
  const shared = Buffer.from(new SharedArrayBuffer(bytes.length));
  bytes.copy(shared);
  return shared;
}

/** A full record with its header, brotli; sealed with `keys`. */
function recordOf(
  plain: Buffer,
  keys: RepositoryKeys | null,
  id = objectId(plain, keys?.objectIds ?? null),
): Buffer {
  const { codec, stored } = compress('brotli', plain);
  const of = { id, base: null, kind: 'chunk', codec, plainBytes: plain.length } as const;
  const seal = keys === null ? undefined : { key: recordKeyOf(keys), record: of };
  const task = { kind: 'compress', codec: 'brotli', bytes: plain } as const;
  const body = seal === undefined ? stored : performTask({ ...task, seal }).bytes!;
  const fields = { ...of, storedBytes: body.length, encrypted: keys !== null };
  return Buffer.concat([encodeRecordHeader(fields), body]);
}

/** As the writer does where it must know the compressed size first. */
async function sealLater(pool: BytePool, plain: Buffer, seal: Sealing): Promise<ByteResult> {
  const { bytes, codec } = await pool.run({ kind: 'compress', codec: 'brotli', bytes: plain });
  const plainBytes = plain.length;
  return pool.run({ kind: 'seal', codec, bytes: bytes ?? plain, plainBytes, seal });
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
    const tasks = chunks().map(
      (bytes): CompressTask => ({ kind: 'compress', codec: 'brotli', bytes }),
    );
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

  it('decodes deltas on their bases, wherever both stand and wherever the result goes', async () => {
    const pool = new BytePool(entry);
    const plains = chunks().filter(({ length }) => length === CHUNK);
    const tasks = plains.map((plain, index): DecodeTask => {
      const base = plains[(index * 3) % plains.length]!.subarray(
        0,
        index % 4 === 0 ? 50_000 : CHUNK,
      );
      const codec = (['brotli', 'zstd', 'none'] as const)[index % 3]!;
      const full = compress(index % 2 === 0 ? codec : 'brotli', base);
      const delta = compress(codec, xorWithBase(plain, base));
      return {
        kind: 'decode',
        codec: delta.codec,
        bytes: index % 5 === 0 ? inShared(delta.stored) : delta.stored,
        plainBytes: plain.length,
        wanted: (['both', 'id'] as const)[index % 2]!,
        base: {
          codec: full.codec,
          bytes: index % 3 === 0 ? inShared(full.stored) : full.stored,
          plainBytes: base.length,
        },
        ...(index % 4 === 2 ? { into: Buffer.from(new SharedArrayBuffer(CHUNK)) } : {}),
      };
    });
    const expected = plains.map((plain, index) => {
      const bytes = index % 2 === 0 ? plain : null;
      return shown({ codec: 'none', id: objectId(plain, null), bytes });
    });
    expect(tasks.map(alone)).toEqual(expected);
    expect(await runAll(pool, tasks)).toEqual(expected);
    expect(pool.threads).toBeGreaterThan(0);
    for (const [index, { into }] of tasks.entries()) {
      if (into !== undefined) expect(into.equals(plains[index]!)).toBe(true);
    }
  });

  it('hashes a block chunk by chunk', async () => {
    const pool = new BytePool(entry);
    const blocks = Array.from({ length: 40 }, (_, index) =>
      inShared(noiseBytes(index === 3 ? 5 * CHUNK + 1 : 16 * CHUNK, index)),
    );
    const tasks = blocks.map((bytes): ByteTask => ({ kind: 'chunk-ids', bytes, idKey: null }));
    const { ids } = await pool.run(tasks[3]!);
    const cut = Array.from({ length: 6 }, (_, index) =>
      blocks[3]!.subarray(index * CHUNK, (index + 1) * CHUNK),
    );
    expect(ids).toEqual(cut.map(sha256));
    expect(await runAll(pool, tasks)).toEqual(tasks.map(alone));
    expect(pool.threads).toBeGreaterThan(0);
  });

  it('takes the difference from a base, and says where that is another one or has too little in common', async () => {
    const pool = new BytePool(entry);
    const plains = chunks().filter(({ length }) => length === CHUNK);
    const tasks = plains.map((plain, index): DeltaTask => {
      const base = index % 5 === 1 ? noiseBytes(CHUNK, index + 1000) : Buffer.from(plain);
      base.writeUInt32LE(index * 7, 400);
      const cut = index % 4 === 0 ? base.subarray(0, 50_000) : base;
      const { codec, stored } = compress('brotli', cut);
      return {
        kind: 'delta',
        codec: 'brotli',
        bytes: index % 2 === 0 ? plain : inShared(plain),
        base: { codec, bytes: index % 3 === 0 ? inShared(stored) : stored, plainBytes: cut.length },
        baseId: objectId(index % 6 === 2 ? plain : cut, null),
        idKey: null,
      };
    });
    const made = new Set<string>();
    await inParallel(tasks.entries(), 48, async ([index, task]) => {
      const result = await pool.run(task);
      expect(shown(result)).toBe(alone(task));
      const base = decompress(task.base.codec, task.base.bytes, task.base.plainBytes);
      const isBase = objectId(base, null) === task.baseId;
      expect(result.ids).toEqual([isBase ? task.baseId : null]);
      made.add(`${isBase} ${result.bytes !== null}`);
      if (result.bytes === null) return;
      const difference = decompress(result.codec, result.bytes, CHUNK);
      expect(objectId(difference, null)).toBe(result.id);
      expect(xorWithBase(difference, base).equals(plains[index]!)).toBe(true);
    });
    expect(pool.threads).toBeGreaterThan(0);
    expect([...made].sort()).toEqual(['false false', 'true false', 'true true']);
  });

  it('decodes a run of records in one go, sealed or not; of those that are not sound it says nothing', async () => {
    const pool = new BytePool(entry);
    const keys = deriveKeys(Buffer.alloc(32, 4), '01936c3e-1111-7222-8333-444455556666');
    const runKeys = { objectIds: keys.objectIds, record: recordKeyOf(keys) };
    const runs = chunks().map((plain, index) => {
      const isSealed = index % 2 === 0;
      const records = [
        recordOf(plain, isSealed ? keys : null),
        recordOf(noiseBytes(900, index), isSealed ? keys : null),
      ];
      const other = recordOf(plain, isSealed ? keys : null, sha256(plain.subarray(1)));
      const header = Buffer.from(records[0]!);
      header[20]! ^= 1;
      const others = [
        other,
        header,
        records[0]!.subarray(0, -1),
        recordOf(plain, isSealed ? null : keys),
      ];
      const all = [...records, ...others].map((bytes, at) =>
        at % 2 === 0 ? inShared(bytes) : bytes,
      );
      const places = [
        plain.length,
        900,
        plain.length,
        plain.length,
        plain.length,
        plain.length,
      ].map((bytes) => Buffer.from(new SharedArrayBuffer(bytes)));
      const task = {
        kind: 'records',
        records: all,
        into: index % 3 === 0 ? places : null,
        keys: isSealed ? runKeys : null,
        plainBytes: plain.length * 5 + 900,
      } as const;
      const idKey = isSealed ? keys.objectIds : null;
      const ids = [
        objectId(plain, idKey),
        objectId(noiseBytes(900, index), idKey),
        null,
        null,
        null,
        null,
      ];
      return { plain, task, places, ids };
    });
    await inParallel(runs, 48, async ({ plain, task, places, ids }) => {
      expect((await pool.run(task)).ids).toEqual(ids);
      expect(runIds(task)).toEqual(ids);
      if (task.into !== null) expect(places[0]!.equals(plain)).toBe(true);
    });
    expect(pool.threads).toBeGreaterThan(0);
    const { task, ids } = runs[3]!;
    const longer = [Buffer.from(new SharedArrayBuffer(CHUNK + 1)), ...task.into!.slice(1)];
    expect((await pool.run({ ...task, into: longer })).ids).toEqual([null, ...ids.slice(1)]);
  });

  it('goes on with memory that comes and goes', async () => {
    const pool = new BytePool(entry);
    // More than a thread remembers, each used twice, the first of them again in the end.
    const blocks = Array.from({ length: 200 }, (_, index) => inShared(noiseBytes(CHUNK, index)));
    const tasks = [...blocks, ...blocks, ...blocks.slice(0, 20)].map(
      (bytes): ByteTask => ({ kind: 'hash', bytes }),
    );
    expect(await runAll(pool, tasks)).toEqual(tasks.map(alone));
  });

  it('reads shared memory in place, however large', async () => {
    const pool = new BytePool(entry);
    const shared = Buffer.from(new SharedArrayBuffer(24 * 1024 * 1024));
    noiseBytes(100_000).copy(shared, 5_000_000);
    const hashed = await pool.run({ kind: 'hash', bytes: shared });
    expect(pool.threads).toBeGreaterThan(0);
    expect(hashed.id).toBe(sha256(shared));
  });

  it('seals and opens records, in shared memory too, under the ids of their repository; a changed one is an error', async () => {
    const pool = new BytePool(entry);
    const keys = deriveKeys(Buffer.alloc(32, 4), '01936c3e-1111-7222-8333-444455556666');
    const key = recordKeyOf(keys);
    const plains = chunks();
    const ids = plains.map((plain) => objectId(plain, keys.objectIds));
    const opened: DecodeTask[] = [];
    await inParallel(plains.entries(), 48, async ([index, plain]) => {
      const record = { id: ids[index]!, base: null, kind: 'chunk' } as const;
      const seal = { key, record };
      const task = (['brotli', 'none'] as const)[index % 2]!;
      const sealed =
        index % 3 === 0
          ? await sealLater(pool, plain, seal)
          : await pool.run({ kind: 'compress', codec: task, bytes: plain, seal });
      const bytes = Buffer.from(new SharedArrayBuffer(sealed.bytes!.length));
      sealed.bytes!.copy(bytes);
      const fields = {
        ...record,
        codec: sealed.codec,
        plainBytes: plain.length,
        storedBytes: bytes.length,
        encrypted: true,
      };
      opened[index] = {
        kind: 'decode',
        codec: sealed.codec,
        bytes: index % 2 === 0 ? bytes : Buffer.from(bytes),
        plainBytes: plain.length,
        wanted: (['both', 'id', 'plain'] as const)[index % 3]!,
        idKey: keys.objectIds,
        opening: { key, fields },
      };
    });
    expect(pool.threads).toBeGreaterThan(0);
    const expected = plains.map((plain, index) => {
      const id = index % 3 === 2 ? null : ids[index]!;
      return shown({ codec: 'none', id, bytes: index % 3 === 1 ? null : plain });
    });
    expect(await runAll(pool, opened)).toEqual(expected);
    opened[5]!.bytes[30]! ^= 1;
    const [bad, good] = await runAll(pool, [opened[5]!, opened[6]!]);
    expect(bad).toMatch(/^failed: Cannot open/);
    expect(good).toBe(expected[6]);
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
