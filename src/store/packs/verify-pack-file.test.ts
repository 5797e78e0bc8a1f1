import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { listPacks } from '../catalog/load-packs.ts';
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
let decoded: number;
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
  decoded = 0;
  expected = {
    name: basename(path, '.pack'),
    whole: await readFile(path),
    entries: packIndexOf(owner, await readFile(path))!,
    owner,
    verifies: () => true,
    verify: async () => {
      decoded += 1;
    },
  };
});
afterEach(() => dispose());

it('F-D3: a pack that is read back as it was written passes, with every record decoded', async () => {
  await verifyPackFile(path, expected);
  expect(decoded).toBe(expected.entries.length);
  expect(decoded).toBeGreaterThan(1);
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
