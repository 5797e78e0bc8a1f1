import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testSettings } from '../config/testing/settings.ts';
import { countSteps, dieAtStep } from '../files/testing/dying-process.ts';
import { type Activity, quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { recordProof } from '../kernel/testing/record-proof.ts';
import { EMPTY_NOTES } from '../store/manifests/manifest.ts';
import {
  acquireLease,
  checkRepository,
  initRepository,
  openReader,
  pruneRepository,
  type SlotMaterial,
} from '../store/repository.ts';
import type { StoreReader } from '../store/store.ts';
import { allFiles, findPlanted } from '../store/testing/encrypted-repository.ts';
import {
  activity,
  commitFile,
  fileOf,
  rowBytes,
  writerOf,
} from '../store/testing/scratch-repository.ts';
import { convert } from './convert.ts';
import { withReader } from './repository-access.ts';
import { readKey } from './repository-key.ts';
import { seenHead } from './seen-heads.ts';

/** HOLDFAST_TEST_EVERY_STEP stops at every step; otherwise at a few, HOLDFAST_TEST_SEED choosing. */
const everyStep = process.env['HOLDFAST_TEST_EVERY_STEP'] === '1';
const seed = Number(process.env['HOLDFAST_TEST_SEED'] ?? Math.floor(Math.random() * 1e6));
const PLANTED = ['apfelstrudel-etikett', 'Murmeltier-Bilanz', 'app-quelle'];

let directory: string;
let path: string;
let keyFile: string;
let ids: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-convert-'));
  path = join(directory, 'repository');
  keyFile = join(directory, 'key');
  writeFileSync(keyFile, 'ab'.repeat(32), { mode: 0o600 });
  await initRepository(path, { clock: systemClock });
  await fill(path);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const image = (at: number): Buffer => {
  const bytes = rowBytes(150_000, 3);
  bytes.write(`${PLANTED[1]} ${at}`, 70_000);
  return bytes;
};

/** Three snapshots, notes on two of them, one that was removed, set aside files, a prune behind it. */
async function fill(to: string): Promise<void> {
  const writer = await writerOf(to);
  ids = [];
  for (let at = 0; at < 4; at += 1) ids.push((await commitFile(writer, image(at), null, at)).id);
  await writer.writeNotes(ids[1]!, { ...EMPTY_NOTES, tags: [PLANTED[0]!], pinned: true });
  const verification = {
    at: '2026-01-02T00:00:00.000Z',
    level: 'deep',
    ok: true,
    findings: [],
  } as const;
  await writer.writeNotes(ids[2]!, { ...EMPTY_NOTES, verifications: [verification] });
  await writer.removeSnapshots([ids.pop()!]);
  await writer.close();
  const limits = { graceMs: 1e9, unusedShare: 0.1, dryRun: false, lockWaitMs: 0 };
  await pruneRepository(to, { clock: systemClock, ...limits }, activity);
  writeFileSync(join(to, 'set-aside', 'catalog.db.1234'), PLANTED[1]!);
}

const settingsAt = (file: string | null = keyFile) => ({
  ...testSettings(directory),
  repositoryDirectory: path,
  repositoryKey: file === null ? null : { keyFile: file, passphraseFile: null, secret: null },
});

function run(
  params: Record<string, unknown> = {},
  { settings = settingsAt(), doing = quietActivity() as Activity } = {},
) {
  const context = {
    activity: doing,
    settings,
    clock: systemClock,
    jobId: 'job',
    scratchDirectory: directory,
  };
  return convert.run(context, convert.params.parse(params));
}

const keyOf = (file = keyFile): Promise<SlotMaterial> =>
  readKey({ keyFile: file, passphraseFile: null, secret: null }, directory);

/** Without what SQLite keeps beside the catalog. */
const ownFiles = (): string[] =>
  readdirSync(path)
    .filter((name) => !/^catalog\.db-/.test(name))
    .sort();

/** Every snapshot, found by the id that it had at first, with its notes. */
async function expectAll(reader: StoreReader): Promise<void> {
  const listed = reader.listSnapshots();
  expect(listed).toHaveLength(3);
  for (const [at, id] of ids.entries()) {
    const now = reader.resolveSnapshot(id);
    expect((await fileOf(reader, now)).equals(image(at))).toBe(true);
    expect(reader.resolveSnapshot(id.slice(0, 12))).toBe(now);
  }
  expect(reader.resolveSnapshot('latest')).toBe(reader.resolveSnapshot(ids[2]!));
  expect(listed.map(({ pinned }) => pinned)).toEqual([false, true, false]);
  expect(listed[1]!.tags).toEqual([PLANTED[0]]);
  expect(listed[0]).toMatchObject({ verifiedLevel: 'deep', verifiedOk: true });
}

/** As it is now, whether converted already or not. */
async function expectReadable(key: SlotMaterial): Promise<'before' | 'after'> {
  const before = await openReader(path).catch(() => null);
  const reader = before ?? (await openReader(path, key));
  await expectAll(reader);
  reader.close();
  return before === null ? 'after' : 'before';
}

function recordConversion(ends: {
  readonly steps: number;
  readonly before: number;
  readonly after: number;
  readonly filesSearched: number;
}): void {
  recordProof({
    suite: 'encryption-conversion',
    promise:
      'A repository is encrypted where it stands: stopped at any step every snapshot restores, and at the end nothing stands in the open.',
    how: 'The conversion of a repository with notes, a removed snapshot and set-aside files was stopped at every durable step; every snapshot was read then, the conversion finished, every byte checked, and every file searched for planted names.',
    command: 'npm run test:encryption',
    figures: {
      'kills during conversion': ends.before + ends.after,
      'still as before': ends.before,
      'already as after': ends.after,
      'files searched for planted names': ends.filesSearched,
    },
    failures: 0,
    seeds: String(seed),
  });
}

describe('encrypting a repository where it stands', () => {
  it('leaves every snapshot with its notes, found by its old id too, and nothing in the open, the names of files included', async () => {
    const formerly = await openReader(path);
    const formerId = formerly.repositoryId;
    formerly.close();
    const result = await run();
    expect(result).toMatchObject({ snapshots: 3, formerRemoved: true, formerId });
    const key = await keyOf();
    await expect(openReader(path)).rejects.toMatchObject({ code: 'KEY_REQUIRED' });
    const reader = await openReader(path, key);
    await expectAll(reader);
    expect(await reader.formerId()).toBe(formerId);
    expect(await reader.compareHead(await seenHead(settingsAt()))).toEqual([]);
    reader.close();
    expect(findPlanted(await allFiles(path), PLANTED)).toEqual([]);
    const folder = readdirSync(path).filter((name) => name.startsWith('data-'));
    expect(readdirSync(path).sort()).toEqual(
      [...folder, 'holdfast.json', 'leases', 'lock.db', 'lock.db.holder'].sort(),
    );
    // It is a repository as any other: written to, pruned, checked.
    const writer = await writerOf(path, { key });
    ids.push((await commitFile(writer, image(9), null, 9)).id);
    await writer.close();
    const limits = { graceMs: 0, unusedShare: 0, dryRun: false, lockWaitMs: 0, key };
    await pruneRepository(path, { clock: systemClock, ...limits }, activity);
    expect(await checkRepository(path, { readData: 'all', key }, activity)).toMatchObject({
      ok: true,
      snapshots: 4,
      warnings: 0,
    });
  });

  it('says before how much room it takes, and does nothing then; without a key it says which is missing', async () => {
    const before = ownFiles();
    const plan = await run({ dryRun: true });
    expect(plan).toMatchObject({ dryRun: true, encrypted: false, snapshots: 3, resumed: false });
    expect(plan['neededBytes']).toBeGreaterThan(1000);
    await expect(run({}, { settings: settingsAt(null) })).rejects.toMatchObject({
      code: 'KEY_REQUIRED',
    });
    expect(ownFiles()).toEqual(before);
  });

  it(
    'stopped at any step, every snapshot is there as before or as after, and the same call finishes it',
    async () => {
      const template = join(directory, 'template');
      await cp(path, template, { recursive: true });
      const key = await keyOf();
      const steps = await countSteps(() => run());
      const stride = everyStep ? 1 : Math.ceil(steps / 3);
      const ends = { before: 0, after: 0 };
      let filesSearched = 0;
      for (let n = 1 + (seed % stride); n <= steps; n += stride) {
        const moment = `${n} of ${steps} HOLDFAST_TEST_SEED=${seed}`;
        rmSync(path, { recursive: true });
        await cp(template, path, { recursive: true });
        await dieAtStep(n, n % 2 === 0 ? 'before' : 'after', () => run());
        const end = await expectReadable(key);
        ends[end] += 1;
        if (end === 'before') await run();
        else await (await writerOf(path, { key })).close();
        expect(await expectReadable(key), moment).toBe('after');
        const files = await allFiles(path);
        filesSearched += files.length;
        expect(findPlanted(files, PLANTED), moment).toEqual([]);
        const report = await checkRepository(path, { readData: 'all', key }, activity);
        expect(report, moment).toMatchObject({ ok: true });
      }
      expect(ends.before).toBeGreaterThan(0);
      if (everyStep) recordConversion({ steps, ...ends, filesSearched });
    },
    everyStep ? 3_600_000 : 120_000,
  );

  it('goes on where it was interrupted, begins anew with another key, and gives up when told to', async () => {
    const packsIn = (): string[] =>
      readdirSync(path, { recursive: true })
        .map(String)
        .filter((name) => /^data-.*\.pack$/.test(name));
    const abort = new AbortController();
    const stopping: Activity = {
      ...quietActivity(abort.signal),
      progress: ({ filesDone }) => {
        if (filesDone === 2) abort.abort();
      },
    };
    await expect(run({}, { doing: stopping })).rejects.toThrow();
    expect(await expectReadable(await keyOf())).toBe('before');
    expect(await run({ dryRun: true })).toMatchObject({ resumed: true });
    const other = join(directory, 'other');
    writeFileSync(other, 'cd'.repeat(32), { mode: 0o600 });
    // What is removed meanwhile does not come back with what was copied already.
    const copyOf = join(directory, 'copy');
    await cp(path, copyOf, { recursive: true });
    const writer = await writerOf(path);
    await writer.removeSnapshots([ids[0]!]);
    await writer.close();
    expect(await run()).toMatchObject({ snapshots: 2 });
    const converted = await openReader(path, await keyOf());
    expect(converted.listSnapshots()).toHaveLength(2);
    converted.close();
    rmSync(path, { recursive: true });
    await cp(copyOf, path, { recursive: true });
    expect(await run({ discard: true })).toEqual({ discarded: 1 });
    expect(packsIn()).toEqual([]);
    await expect(
      run({}, { doing: { ...stopping, signal: AbortSignal.abort() } }),
    ).rejects.toThrow();
    expect(await run({ kind: 'keyFile', keyPath: other })).toMatchObject({ snapshots: 3 });
    const reader = await openReader(path, await keyOf(other));
    await expectAll(reader);
    reader.close();
    expect(readdirSync(path).filter((name) => name.startsWith('data-'))).toHaveLength(1);
  });

  it('what somebody reads under a lease stays until it was read', async () => {
    const reader = await openReader(path);
    const lease = await acquireLease(path, ids[0]!, 'restore', systemClock);
    const phases: string[] = [];
    const doing: Activity = {
      ...quietActivity(),
      progress: ({ phase }) => {
        if (phase === 'wait for readers' && !phases.includes(phase)) {
          phases.push(phase);
          void fileOf(reader, ids[0]!).then(async (bytes) => {
            phases.push(String(bytes.equals(image(0))));
            await lease.release();
          });
        }
      },
    };
    expect(await run({}, { doing })).toMatchObject({ formerRemoved: true });
    reader.close();
    expect(phases).toEqual(['wait for readers', 'true']);
    expect(existsSync(join(path, 'packs'))).toBe(false);
  });

  it('a description of before that somebody puts back costs nothing: writers remove no data that nothing took the place of', async () => {
    const name = join(path, 'holdfast.json');
    const before = readFileSync(name);
    expect(await run()).toMatchObject({ formerRemoved: true });
    const converted = readFileSync(name);
    writeFileSync(name, before);
    // It may be refused or not: what counts is what it leaves.
    await writerOf(path).then(
      (writer) => writer.close(),
      () => {},
    );
    writeFileSync(name, converted);
    expect(await expectReadable(await keyOf())).toBe('after');
  });

  it('a snapshot that cannot be read whole stops it before anything was replaced', async () => {
    const name = join(path, 'snapshots', readdirSync(join(path, 'snapshots'))[0]!);
    const manifest = readFileSync(name);
    writeFileSync(name, '{}');
    await expect(run()).rejects.toMatchObject({ code: 'REPO_CORRUPT' });
    writeFileSync(name, manifest);
    // Whichever of them holds what the snapshots need.
    for (const file of readdirSync(join(path, 'packs'), { recursive: true }).map(String)) {
      if (!file.endsWith('.pack')) continue;
      writeFileSync(join(path, 'packs', file), Buffer.alloc(2000, 7));
    }
    await expect(run()).rejects.toMatchObject({ code: 'REPO_CORRUPT' });
    await expect(openReader(path).then((reader) => reader.close())).resolves.toBeUndefined();
  });
});

describe('a new master key', () => {
  it('opens everything; with the old one, and with a copy of the old slots, nothing written before or later opens', async () => {
    await run();
    const former = join(directory, 'former');
    await cp(path, former, { recursive: true });
    const before = (await openReader(path, await keyOf())).repositoryId;
    const first = readdirSync(path).find((name) => name.startsWith('data-'))!;
    expect(await run()).toMatchObject({ snapshots: 3, formerRemoved: true, formerId: before });
    const folders = readdirSync(path).filter((name) => name.startsWith('data-'));
    expect(folders).toHaveLength(1);
    expect(folders).not.toContain(first);
    await withReader(settingsAt(), async (reader) => {
      await expectAll(reader);
      expect(reader.repositoryId).not.toBe(before);
      expect(await reader.compareHead(await seenHead(settingsAt()))).toEqual([]);
    });
    // The old slots open the old master key, which opens nothing of it.
    rmSync(join(path, folders[0]!, 'keys'), { recursive: true });
    await cp(join(former, first, 'keys'), join(path, folders[0]!, 'keys'), { recursive: true });
    await expect(openReader(path, await keyOf())).rejects.toMatchObject({ code: 'REPO_CORRUPT' });
    expect(findPlanted(await allFiles(path), PLANTED)).toEqual([]);
  });
});
