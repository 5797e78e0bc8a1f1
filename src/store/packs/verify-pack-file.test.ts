import { readFile, writeFile } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { listPacks } from '../catalog/load-packs.ts';
import { storedOf } from '../format/pack-layout.ts';
import { layoutOf, packPath } from '../layout.ts';
import { openReader } from '../repository.ts';
import {
  commitFile,
  rowBytes,
  scratchRepository,
  writerOf,
} from '../testing/scratch-repository.ts';
import { packIndexOf } from './pack-index.ts';
import { type ExpectedPack, verifyPackFile } from './verify-pack-file.ts';

let path: string;
let expected: ExpectedPack;
/** Ids of records that were looked at one by one. */
let verified: string[];
let dispose: () => Promise<void>;

beforeEach(async () => {
  const repository = await scratchRepository();
  dispose = repository.dispose;
  const writer = await writerOf(repository.path);
  await commitFile(writer, rowBytes(2000));
  await writer.close();
  const layout = layoutOf(repository.path);
  path = packPath(layout, (await listPacks(layout))[0]!);
  const reader = await openReader(repository.path);
  const owner = { repositoryId: reader.repositoryId, packKey: null };
  reader.close();
  verified = [];
  expected = {
    whole: await readFile(path),
    entries: packIndexOf(owner, await readFile(path))!,
    checksums: new Map(),
    owner,
    keys: null,
    verifies: () => true,
    verify: async ({ fields }) => {
      verified.push(fields.id);
    },
  };
});
afterEach(() => dispose());

it('F-D3: of a pack that is read back as it was written, every record is decoded and hashed', async () => {
  expect(expected.entries.length).toBeGreaterThan(1);
  await verifyPackFile(path, expected);
  expect(verified).toEqual([]);
  // Changed in memory before it was written: the file is what memory holds, and only decoding tells.
  const changed = expected.entries[1]!;
  storedOf(expected.whole, changed)[3]! ^= 1;
  await writeFile(path, expected.whole);
  await verifyPackFile(path, expected);
  expect(verified).toEqual([changed.id]);
});

it('F-D3: one that came out otherwise, by a single byte, is refused and never gets its name', async () => {
  const sound = await readFile(path);
  const places = Array.from({ length: 60 }, (_, index) => Math.floor((index * sound.length) / 60));
  for (const at of [...places, sound.length - 1]) {
    const bytes = Buffer.from(sound);
    bytes[at]! ^= 1;
    await writeFile(path, bytes);
    await expect(verifyPackFile(path, expected), `byte ${at}`).rejects.toMatchObject({
      code: 'VERIFY_FAILED',
    });
  }
  await writeFile(path, sound.subarray(0, sound.length - 1));
  await expect(verifyPackFile(path, expected)).rejects.toMatchObject({ code: 'VERIFY_FAILED' });
});

it('F-D3: a record that is copied, and not decoded again, is still the one that was put there', async () => {
  const { entries, whole } = expected;
  const checksums = new Map(
    entries.map((entry) => [entry.id, crc32(storedOf(expected.whole, entry))]),
  );
  const sampled = { ...expected, checksums, verifies: () => false };
  await verifyPackFile(path, sampled);
  expect(verified).toEqual([]);
  // Memory failed before the pack was written and named.
  storedOf(expected.whole, entries[1]!)[3]! ^= 1;
  await writeFile(path, whole);
  await expect(verifyPackFile(path, sampled)).rejects.toMatchObject({ code: 'VERIFY_FAILED' });
});
