import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { brotliCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ObjectIndex } from '../catalog/object-index.ts';
import { objectId } from '../format/object-id.ts';
import { readDescriptor } from '../format/read-descriptor.ts';
import type { RecordFields } from '../format/record.ts';
import { xorWithBase } from '../format/xor.ts';
import { layoutOf, packDirectory, packPath } from '../layout.ts';
import { OpenPack } from '../packs/open-pack.ts';
import type { PackFiles } from '../packs/pack-files.ts';
import { checkRepository, openReader } from '../repository.ts';
import { activity, scratchRepository, writerOf } from '../testing/scratch-repository.ts';
import { ZSTD_FRAME, zstdBomb, zstdFramePlain } from '../testing/zstd-frame.ts';
import { ObjectReader } from './object-reader.ts';

let path: string;
let dispose: () => Promise<void>;

beforeEach(async () => {
  ({ path, dispose } = await scratchRepository());
});
afterEach(() => dispose());

/** Puts a pack of hand-made records in place. */
async function plant(records: { fields: Partial<RecordFields>; stored: Buffer }[]): Promise<void> {
  const layout = layoutOf(path);
  const pack = new OpenPack({ repositoryId: (await readDescriptor(layout)).id, packKey: null });
  for (const { fields, stored } of records) {
    const usual = { base: null, kind: 'chunk', codec: 'none', encrypted: false } as const;
    const lengths = { plainBytes: stored.length, storedBytes: stored.length };
    pack.append({ id: objectId(stored, null), ...usual, ...lengths, ...fields }, stored);
  }
  const whole = pack.finish();
  const name = createHash('sha256').update(whole).digest('hex');
  await mkdir(packDirectory(layout, name), { recursive: true });
  await writeFile(packPath(layout, name), whole);
}

async function read(id: string): Promise<Buffer> {
  const reader = await openReader(path);
  try {
    return await reader.readChunk(id);
  } finally {
    reader.close();
  }
}

describe('readChunk()', () => {
  it('reads a record that another runtime compressed with zstd, and a delta against it', async () => {
    await (await writerOf(path)).close();
    const plain = zstdFramePlain();
    const changed = Buffer.from(plain);
    changed.write('changed', 1000);
    const delta = brotliCompressSync(xorWithBase(changed, plain));
    await plant([
      {
        fields: { id: objectId(plain, null), codec: 'zstd', plainBytes: plain.length },
        stored: ZSTD_FRAME,
      },
      {
        fields: {
          id: objectId(changed, null),
          base: objectId(plain, null),
          codec: 'brotli',
          plainBytes: plain.length,
        },
        stored: delta,
      },
    ]);
    expect((await read(objectId(plain, null))).equals(plain)).toBe(true);
    expect((await read(objectId(changed, null))).equals(changed)).toBe(true);
    const writer = await writerOf(path);
    expect(writer.reconciled.packsAdopted).toHaveLength(1);
    await writer.close();
    expect((await checkRepository(path, { readData: 'all' }, activity)).findings).toEqual([]);
  });

  it('refuses deltas of deltas, even in a ring', async () => {
    const [one, two] = ['11'.repeat(32), '22'.repeat(32)];
    await plant([
      { fields: { id: one!, base: two! }, stored: Buffer.alloc(8) },
      { fields: { id: two!, base: one! }, stored: Buffer.alloc(8) },
    ]);
    await expect(read(one!)).rejects.toMatchObject({ code: 'REPO_CORRUPT' });
    // No snapshot needs them.
    const report = await checkRepository(path, { readData: 'all' }, activity);
    expect(report.ok).toBe(true);
    const writer = await writerOf(path);
    await expect(writer.reader.readChunk(one!)).rejects.toMatchObject({ code: 'REPO_CORRUPT' });
    await writer.close();
  });

  it('refuses an encrypted record as UNSUPPORTED_FORMAT', async () => {
    const stored = Buffer.alloc(64, 'secret');
    await plant([{ fields: { encrypted: true }, stored }]);
    const attempt = read(objectId(stored, null));
    await expect(attempt).rejects.toMatchObject({ code: 'UNSUPPORTED_FORMAT' });
  });

  it.each([
    ['brotli', brotliCompressSync(Buffer.alloc(32 * 1024 * 1024))],
    ['zstd', zstdBomb(64)],
  ] as const)('refuses a %s bomb at the length that its record declares', async (codec, stored) => {
    const id = '33'.repeat(32);
    await plant([{ fields: { id, codec, plainBytes: 65_536 }, stored }]);
    await expect(read(id)).rejects.toMatchObject({ code: 'VERIFY_FAILED' });
    const report = await checkRepository(path, { readData: 'all' }, activity);
    expect(report.findings.map(({ code }) => code)).toContain('OBJECT_DAMAGED');
  });

  it('T-D4: takes nothing for damaged that it could not even open', async () => {
    const plain = Buffer.from('what is stored');
    await plant([{ fields: {}, stored: plain }]);
    const writer = await writerOf(path);
    await writer.close();
    const id = objectId(plain, null);
    const told: string[] = [];
    const index = await openIndex();
    const failing = (code: string) => ({
      read: () => Promise.reject(Object.assign(new Error(code), { code })),
    });
    for (const [code, expected] of [
      ['EMFILE', { code: 'EMFILE' }],
      ['ENOMEM', { code: 'ENOMEM' }],
      ['EIO', { code: 'VERIFY_FAILED' }],
    ] as const) {
      const files = failing(code) as unknown as PackFiles;
      const objects = new ObjectReader(index, files, null, null, (of) =>
        told.push(`${code} ${of}`),
      );
      await expect(objects.read(id)).rejects.toMatchObject(expected);
    }
    index.close();
    // A sector that cannot be read is damage: the object is stored again when it comes again.
    expect(told).toEqual([`EIO ${id}`]);
  });
});

async function openIndex(): Promise<ObjectIndex> {
  const layout = layoutOf(path);
  return ObjectIndex.open(layout, (await readDescriptor(layout)).id);
}
