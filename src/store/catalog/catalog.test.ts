import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { PackEntry } from '../format/pack-layout.ts';
import { scratchFolder } from '../testing/scratch-repository.ts';
import { Catalog } from './catalog.ts';

const REPOSITORY = '01936c3e-1111-7222-8333-444455556666';
const PACK = 'ab'.repeat(32);
const idOf = (count: number): string => count.toString(16).padStart(64, '0');

const entryOf = (count: number): PackEntry => ({
  id: idOf(count),
  base: null,
  kind: 'chunk',
  codec: 'none',
  plainBytes: 100 + count,
  storedBytes: 100 + count,
  encrypted: false,
  offset: count * 1_000,
});

async function scratchCatalog() {
  const { path: folder, dispose } = await scratchFolder();
  const path = join(folder, 'catalog.db');
  return { path, catalog: Catalog.create(path, REPOSITORY), dispose };
}

it('what others commit is found in the next turn of the event loop, and writing goes on between look-ups', async () => {
  const { path, catalog, dispose } = await scratchCatalog();
  const reader = Catalog.open(path, REPOSITORY, 'read');
  expect(reader.find(idOf(1))).toBeNull();
  catalog.addPack(PACK, 10_000, [entryOf(1)]);
  // As of the moment of the first look-up.
  expect(reader.find(idOf(1))).toBeNull();
  expect(catalog.find(idOf(1))?.offset).toBe(1_000);
  await nextTurn();
  expect(reader.find(idOf(1))).toMatchObject({ pack: PACK, offset: 1_000, plainBytes: 101 });
  expect(reader.plainBytesOf(idOf(1))).toBe(101);
  expect(reader.plainBytesOf(idOf(2))).toBeNull();
  expect(reader.counts()).toMatchObject({ packs: 1, chunks: 1 });
  catalog.close();
  reader.close();
  await dispose();
});

it('a look-up before, within and after a listing sees no end of it', async () => {
  const { catalog, dispose } = await scratchCatalog();
  catalog.addPack(PACK, 10_000, [entryOf(1), entryOf(2), entryOf(3)]);
  expect(catalog.find(idOf(1))).not.toBeNull();
  const seen: string[] = [];
  for (const { id } of catalog.objects()) {
    expect(catalog.find(id)).not.toBeNull();
    await nextTurn();
    seen.push(id);
  }
  expect(seen).toHaveLength(3);
  catalog.addPack('cd'.repeat(32), 10_000, [entryOf(4)]);
  expect(catalog.find(idOf(4))).not.toBeNull();
  catalog.close();
  await dispose();
});

it('the log of a catalog is empty when its writer has ended, whoever else has it open', async () => {
  const { path, catalog, dispose } = await scratchCatalog();
  const reader = Catalog.open(path, REPOSITORY, 'read');
  catalog.addPack(
    PACK,
    10_000,
    Array.from({ length: 500 }, (_, count) => entryOf(count)),
  );
  expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
  catalog.close();
  expect(statSync(`${path}-wal`).size).toBe(0);
  expect(reader.find(idOf(499))).not.toBeNull();
  reader.close();
  await dispose();
});

it('a writer ends at once where somebody reads at that moment', async () => {
  const { path, catalog, dispose } = await scratchCatalog();
  const reader = Catalog.open(path, REPOSITORY, 'read');
  catalog.addPack(PACK, 10_000, [entryOf(1)]);
  expect(reader.find(idOf(1))).not.toBeNull();
  catalog.addPack('cd'.repeat(32), 10_000, [entryOf(2)]);
  catalog.close();
  expect(reader.find(idOf(1))).not.toBeNull();
  reader.close();
  const again = Catalog.open(path, REPOSITORY, 'read');
  expect(again.find(idOf(2))).not.toBeNull();
  again.close();
  await dispose();
});
