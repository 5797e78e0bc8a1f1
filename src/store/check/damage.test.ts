import {
  appendFile,
  cp,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HoldfastError } from '../../kernel/errors.ts';
import { Catalog } from '../catalog/catalog.ts';
import { listPacks, loadPacks } from '../catalog/load-packs.ts';
import { ObjectReader } from '../chunks/object-reader.ts';
import { readDescriptor } from '../format/read-descriptor.ts';
import { layoutOf, manifestPath, packPath } from '../layout.ts';
import { PackFiles } from '../packs/pack-files.ts';
import { readPackIndex } from '../packs/pack-index.ts';
import { packOwner } from '../packs/pack-owner.ts';
import { checkRepository, openReader, verifySnapshot } from '../repository.ts';
import {
  activity,
  type CommittedFile,
  commitFile,
  fileOf,
  noiseBytes,
  rowBytes,
  scratchFolder,
  scratchRepository,
  writerOf,
} from '../testing/scratch-repository.ts';
import { checkPackData } from './check-packs.ts';
import { Findings } from './findings.ts';
import { FoundDamage } from './found-damage.ts';

/** Two snapshots in a pack each, without a shared chunk, and one more whose delta is based on the first. */
const first = noiseBytes(120, 1);
const second = rowBytes(400, 2);
const third = Buffer.from(first);
third.write('!', 7);

let path: string;
let dispose: () => Promise<void>;
let committed: CommittedFile[];
let packs: string[];

beforeAll(async () => {
  ({ path, dispose } = await scratchRepository());
  committed = [];
  packs = [];
  const layout = layoutOf(path);
  for (const [at, image] of [first, second, third].entries()) {
    const writer = await writerOf(path);
    committed.push(await commitFile(writer, image, at === 2 ? committed[0]!.content : null, at));
    await writer.close();
    packs.push(...(await listPacks(layout)).filter((name) => !packs.includes(name)));
  }
  expect(packs).toHaveLength(3);
});
afterAll(() => dispose());

/** Runs with a damaged file and puts the sound bytes back. */
async function withFile(file: string, bytes: Buffer, run: () => Promise<void>): Promise<void> {
  const sound = await readFile(file);
  await writeFile(file, bytes);
  try {
    await run();
  } finally {
    await writeFile(file, sound);
  }
}

async function withoutPack(name: string, run: () => Promise<void>): Promise<void> {
  const file = packPath(layoutOf(path), name);
  await rename(file, `${file}.away`);
  try {
    await run();
  } finally {
    await rename(`${file}.away`, file);
  }
}

/** What checking the data of one pack finds, as checkRepository runs it. */
async function packFindings(
  name: string,
  damage = new FoundDamage(),
  readBase?: PackFiles['read'],
): Promise<number> {
  const layout = layoutOf(path);
  const { id } = await readDescriptor(layout);
  const files = new PackFiles(layout);
  if (readBase !== undefined) files.read = readBase;
  const findings = new Findings();
  const index = Catalog.temporary(id);
  const readIndex = (pack: string) => readPackIndex(packOwner(layout, id), packPath(layout, pack));
  await loadPacks(index, layout, readIndex);
  const find = (object: string) => index.find(object);
  const objects = new ObjectReader(
    { find, findAgain: async (object) => find(object) },
    files,
    null,
  );
  await checkPackData(name, layout, id, objects, index, findings, damage);
  files.close();
  index.close();
  return findings.errors;
}

const check = () => checkRepository(path, { readData: 'all' }, activity);

/** Reads a snapshot's file through a new reader: its bytes, or the error of ours that reading gave. */
async function attempt(id: string): Promise<Buffer | HoldfastError> {
  const reader = await openReader(path);
  try {
    return await fileOf(reader, id);
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  } finally {
    reader.close();
  }
}

describe('one flipped byte', () => {
  it('Z-22: anywhere in a pack is reported by the check; reading gives the right bytes or an error, and other snapshots are read as before', async () => {
    const file = packPath(layoutOf(path), packs[0]!);
    const sound = await readFile(file);
    expect(sound.length).toBeLessThan(1000);
    expect(await packFindings(packs[0]!)).toBe(0);
    for (let at = 0; at < sound.length; at += 1) {
      const bytes = Buffer.from(sound);
      bytes[at]! ^= 1 << (at % 8);
      await withFile(file, bytes, async () => {
        expect(await packFindings(packs[0]!), `byte ${at}`).not.toBe(0);
        // The pack's own check has looked at every byte; the rest looks at a place per field and more.
        if (at % 9 !== 0) return;
        const report = await check();
        expect(report.ok, `byte ${at}`).toBe(false);
        expect(report.findings.some((finding) => finding.path?.includes(packs[0]!))).toBe(true);
        for (const [index, image] of [first, second, third].entries()) {
          const read = await attempt(committed[index]!.id);
          if (read instanceof HoldfastError) expect(index).not.toBe(1);
          else expect(read.equals(image), `byte ${at}, snapshot ${index}`).toBe(true);
        }
      });
    }
    expect((await check()).findings).toEqual([]);
  });

  it('Z-22, T-09, T-D16: anywhere in a manifest is reported; the snapshot is refused, the others are not', async () => {
    const { id } = committed[0]!;
    const file = manifestPath(layoutOf(path), id);
    const sound = await readFile(file);
    const reader = await openReader(path);
    for (let at = 0; at < sound.length; at += 1) {
      const bytes = Buffer.from(sound);
      bytes[at]! ^= 1 << (at % 8);
      await withFile(file, bytes, async () => {
        await expect(reader.readManifest(id)).rejects.toMatchObject({ code: 'VERIFY_FAILED' });
        if (at % 50 !== 0) return;
        const report = await check();
        expect(report.findings).toMatchObject([{ severity: 'error', code: 'SNAPSHOT_DAMAGED' }]);
        expect(await attempt(id)).toMatchObject({ code: 'VERIFY_FAILED' });
        expect(await attempt(committed[1]!.id)).toEqual(second);
      });
    }
    reader.close();
  });

  it('in a stored chunk: the error names pack and way out, and a deep verification finds it where a shallow one cannot', async () => {
    const file = packPath(layoutOf(path), packs[0]!);
    const bytes = await readFile(file);
    const at = bytes.indexOf(first.subarray(0, 6));
    expect(at).toBeGreaterThan(0);
    bytes[at + 2]! ^= 0x40;
    await withFile(file, bytes, async () => {
      expect(await attempt(committed[0]!.id)).toMatchObject({
        code: 'VERIFY_FAILED',
        hint: expect.stringMatching(new RegExp(`${packs[0]}.*[Oo]ther snapshots may still`)),
        details: { pack: packs[0] },
      });
      const reader = await openReader(path);
      const { id } = committed[2]!;
      expect((await verifySnapshot(reader, id, { deep: false }, activity)).ok).toBe(true);
      expect(await verifySnapshot(reader, id, { deep: true }, activity)).toMatchObject({
        ok: false,
        findingsCount: 1,
        findings: [expect.stringContaining('data/file')],
      });
      reader.close();
      const structure = await checkRepository(path, { readData: 'none' }, activity);
      expect(structure.ok).toBe(true);
    });
  });
});

describe('checkRepository()', () => {
  it('reports what is missing, by snapshot and path', async () => {
    await withoutPack(packs[1]!, async () => {
      const report = await check();
      expect(report.findings.map((finding) => finding.code)).toEqual(
        expect.arrayContaining(['CONTENT_DAMAGED', 'PACK_MISSING']),
      );
      expect(await attempt(committed[1]!.id)).toMatchObject({ code: 'REPO_CORRUPT' });
      expect(await attempt(committed[2]!.id)).toEqual(third);
    });
  });

  it('notes nothing as damaged because a base could not be opened', async () => {
    const damage = new FoundDamage();
    const exhausted = () => Promise.reject(Object.assign(new Error('EMFILE'), { code: 'EMFILE' }));
    let findings = 0;
    for (const name of packs) findings += await packFindings(name, damage, exhausted);
    expect(findings).toBe(1);
    expect(damage.isNone).toBe(true);
  });

  it('reports a delta whose base is gone', async () => {
    await withoutPack(packs[0]!, async () => {
      expect((await check()).findings.map((finding) => finding.code)).toContain('BASE_MISSING');
    });
  });

  it('Z-43: reports a catalog that says what no pack says, and a foreign file only as a warning', async () => {
    const copy = await scratchFolder();
    await cp(path, copy.path, { recursive: true });
    const { default: Database } = await import('better-sqlite3');
    const catalog = new Database(join(copy.path, 'catalog.db'));
    catalog.exec(
      'UPDATE objects SET offset = offset + 1 WHERE kind = 1; UPDATE packs SET bytes = bytes',
    );
    catalog.close();
    await writeFile(join(copy.path, 'packs', 'notes.txt'), 'hello');
    await mkdir(join(copy.path, 'packs', 'zz'));
    const report = await checkRepository(copy.path, { readData: 'none' }, activity);
    expect(
      new Set(report.findings.map((finding) => `${finding.severity} ${finding.code}`)),
    ).toEqual(new Set(['error CATALOG_DIFFERS', 'warning FOREIGN_FILE']));
    // The lie is noticed on reading, and the packs' own word taken.
    const reader = await openReader(copy.path);
    expect(await fileOf(reader, committed[2]!.id)).toEqual(third);
    reader.close();
    await copy.dispose();
  });

  it('reads a share of the packs that moves with the seed', async () => {
    const read = async (seed: number): Promise<number> =>
      (await checkRepository(path, { readData: { percent: 34, seed } }, activity)).packsRead;
    expect(await read(1)).toBe(2);
    const file = packPath(layoutOf(path), packs[0]!);
    const bytes = await readFile(file);
    bytes[bytes.indexOf(first.subarray(0, 6)) + 3]! ^= 1;
    await withFile(file, bytes, async () => {
      const verdicts = new Set<boolean>();
      for (let seed = 0; seed < 30; seed += 1) {
        const report = await checkRepository(path, { readData: { percent: 1, seed } }, activity);
        verdicts.add(report.ok);
      }
      expect(verdicts).toEqual(new Set([true, false]));
    });
  });
});

describe('a writer over damage', () => {
  /** A copy of the repository for each test, since a writer repairs what it can. */
  async function copyOfRepository(): Promise<Awaited<ReturnType<typeof scratchFolder>>> {
    const copy = await scratchFolder();
    await cp(path, copy.path, { recursive: true });
    return copy;
  }

  it.each(['truncated', 'footer overwritten', 'rubbish appended', 'its tree damaged too'])(
    'a torn pack (%s): its sound records are saved, and all that can be is restorable',
    async (kind) => {
      const copy = await copyOfRepository();
      const layout = layoutOf(copy.path);
      const file = packPath(layout, packs[0]!);
      const { length } = await readFile(file);
      if (kind === 'truncated') await truncate(file, length - 100);
      if (kind === 'its tree damaged too') await truncate(file, 32 + 84 + first.length + 100);
      if (kind === 'rubbish appended') await appendFile(file, 'rubbish');
      if (kind === 'footer overwritten') {
        const bytes = await readFile(file);
        bytes.fill(0, length - 90);
        await writeFile(file, bytes.subarray(0, length - 1));
      }
      const writer = await writerOf(copy.path);
      expect(writer.reconciled).toMatchObject({ packsTorn: [packs[0]], catalogRebuilt: true });
      const lost = kind === 'its tree damaged too' ? 0 : null;
      for (const [index, image] of [first, second, third].entries()) {
        if (index === lost) continue;
        expect((await fileOf(writer.reader, committed[index]!.id)).equals(image)).toBe(true);
      }
      await writer.close();
      const kept = (await readdir(layout.setAside)).some((name) => name.includes(packs[0]!));
      expect(kept).toBe(lost !== null);
      const report = await checkRepository(copy.path, { readData: 'all' }, activity);
      expect(report.findings.map(({ code }) => code)).toEqual(
        lost === null ? [] : ['CONTENT_DAMAGED'],
      );
      await copy.dispose();
    },
  );

  it('a lost pack: its chunks are stored again when they come again, and the old snapshots heal', async () => {
    const copy = await copyOfRepository();
    const layout = layoutOf(copy.path);
    await rm(packPath(layout, packs[0]!));
    const writer = await writerOf(copy.path);
    expect(writer.reconciled.packsLost).toEqual([packs[0]]);
    await expect(fileOf(writer.reader, committed[2]!.id)).rejects.toMatchObject({
      code: 'REPO_CORRUPT',
    });
    await commitFile(writer, first, null, 9);
    await commitFile(writer, third, null, 10);
    for (const [index, image] of [first, second, third].entries()) {
      expect((await fileOf(writer.reader, committed[index]!.id)).equals(image)).toBe(true);
    }
    await writer.close();
    const report = await checkRepository(copy.path, { readData: 'all' }, activity);
    expect(report.findings).toEqual([]);
    await copy.dispose();
  });

  it('a parent that cannot be read costs the delta, not the snapshot', async () => {
    const copy = await copyOfRepository();
    const file = packPath(layoutOf(copy.path), packs[0]!);
    const bytes = await readFile(file);
    bytes[bytes.indexOf(first.subarray(0, 6)) + 3]! ^= 1;
    await writeFile(file, bytes);
    const writer = await writerOf(copy.path);
    const next = Buffer.from(first);
    next.write('?', 30);
    const { id } = await commitFile(writer, next, committed[0]!.content, 9);
    expect(writer.statistics()).toMatchObject({ chunksNew: 1, chunksDelta: 0 });
    expect((await fileOf(writer.reader, id)).equals(next)).toBe(true);
    await writer.close();
    await copy.dispose();
  });
});
