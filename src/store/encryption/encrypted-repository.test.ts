import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { observeDurableSteps } from '../../files/durable-steps.ts';
import { systemClock } from '../../kernel/clock.ts';
import { listPacks } from '../catalog/load-packs.ts';
import { layoutOf, packPath } from '../layout.ts';
import { EMPTY_NOTES } from '../manifests/manifest.ts';
import {
  checkRepository,
  initRepository,
  type KeyMaterial,
  openReader,
  planReconcile,
  pruneRepository,
  rebuildCatalog,
  unlockRepository,
  verifySnapshot,
} from '../repository.ts';
import {
  allFiles,
  encryptedRepository,
  findPlanted,
  testKey,
} from '../testing/encrypted-repository.ts';
import { EncryptedSnapshots, IMAGES, PLANTED } from '../testing/encrypted-snapshots.ts';
import { fileEntry, manifestOf, sourceOf } from '../testing/manifests.ts';
import {
  activity,
  commitFile,
  fileOf,
  noiseBytes,
  scratchFolder,
  writerOf,
} from '../testing/scratch-repository.ts';

const wrongKey: KeyMaterial = { kind: 'keyFile', bytes: Buffer.alloc(32, 1) };

let fixture: EncryptedSnapshots;
beforeAll(async () => {
  fixture = await EncryptedSnapshots.create();
});
afterAll(() => fixture.dispose());

describe('an encrypted repository', () => {
  it('gives back what was put in, deltas included, and every check is content', async () => {
    const reader = await fixture.open();
    expect((await fileOf(reader, fixture.snapshots[0]!.id)).equals(IMAGES[0])).toBe(true);
    expect((await fileOf(reader, fixture.snapshots[1]!.id)).equals(IMAGES[1])).toBe(true);
    expect(reader.statistics()).toMatchObject({ snapshots: 2, deltaChunks: 1 });
    expect((await reader.readNotes(fixture.snapshots[1]!.id)).tags).toEqual([`${PLANTED[3]}-1`]);
    expect(reader.listSnapshots()[1]).toMatchObject({ pinned: true, sourceName: 'app' });
    for (const { id } of fixture.snapshots) {
      expect(await verifySnapshot(reader, id, { deep: true }, activity)).toMatchObject({
        ok: true,
      });
    }
    reader.close();
    expect(await fixture.check()).toMatchObject({ ok: true, errors: 0, warnings: 0, snapshots: 2 });
  });

  it('names nothing as another repository with the same content does', async () => {
    const other = await encryptedRepository();
    const writing = await fixture.writer(other.path);
    const { content } = await commitFile(writing, IMAGES[0]);
    await writing.close();
    for (const id of content.ids) expect(fixture.snapshots[0]!.content.ids).not.toContain(id);
    await other.dispose();
  });

  it('has no planted name and no planted content in any file, nor in its temporary ones while it is written', async () => {
    const other = await encryptedRepository();
    const seen: { path: string; bytes: Buffer }[] = [];
    // Whatever stands in a file before it gets its name, and every step of the catalog.
    const previous = observeDurableSteps((_step, _path, moment) => {
      if (moment === 'before') return;
      for (const entry of readdirSync(other.path, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || entry.name.startsWith('lock.db')) continue;
        const file = join(entry.parentPath, entry.name);
        seen.push({ path: file, bytes: readFileSync(file) });
      }
    });
    try {
      const writing = await fixture.writer(other.path);
      const content = await writing.writeContent(sourceOf(IMAGES[0]), null, activity);
      const tree = await writing.writeTree([fileEntry(PLANTED[1]!, content)]);
      const { id } = await writing.commitSnapshot(
        (statistics) =>
          manifestOf(tree, statistics, {
            reason: PLANTED[2]!,
            source: { id: 'id', name: PLANTED[2]! },
          }),
        activity,
      );
      await writing.writeNotes(id, { ...EMPTY_NOTES, tags: [PLANTED[3]!] });
      await writing.close();
    } finally {
      observeDurableSteps(previous);
    }
    expect(seen.length).toBeGreaterThan(50);
    expect(seen.some(({ path: file }) => file.includes('/tmp/') && file.endsWith('.pack'))).toBe(
      true,
    );
    expect(findPlanted(seen, PLANTED)).toEqual([]);
    expect(findPlanted(await allFiles(other.path), PLANTED)).toEqual([]);
    // The search itself finds what is there.
    const control = PLANTED.map((text) => ({
      path: 'x',
      bytes: Buffer.from(`..${text}..`, 'utf16le'),
    }));
    expect(findPlanted(control, PLANTED)).toHaveLength(PLANTED.length);
    await other.dispose();
  });
});

describe('without the right key', () => {
  const attempts = (
    at: string,
    key: KeyMaterial | null,
  ): Record<string, () => Promise<unknown>> => ({
    reader: () => openReader(at, key),
    writer: () => writerOf(at, { key }),
    init: () => initRepository(at, { clock: systemClock, key }),
    check: () => checkRepository(at, { readData: 'none', key }, activity),
    prune: () =>
      pruneRepository(
        at,
        { clock: systemClock, graceMs: 0, unusedShare: 0, dryRun: false, lockWaitMs: 0, key },
        activity,
      ),
    rebuild: () => rebuildCatalog(at, { clock: systemClock, key }, activity),
    plan: () => planReconcile(at, key),
    unlock: () => unlockRepository(at, key),
  });

  const stateOf = (at: string) =>
    readdirSync(at, { recursive: true })
      .map(String)
      .sort()
      .map((name) => [name, statSync(join(at, name)).mtimeMs, statSync(join(at, name)).size]);

  it.each([
    ['KEY_REQUIRED', 'none', null],
    ['KEY_WRONG', 'another key file', wrongKey],
    ['KEY_WRONG', 'a passphrase', { kind: 'passphrase', bytes: testKey.bytes } as const],
    [
      'KEY_WRONG',
      "another repository's master key",
      {
        kind: 'master',
        repositoryId: '01936c3e-1111-7222-8333-444455556666',
        bytes: testKey.bytes,
      } as const,
    ],
  ])('everything is refused as %s (%s), and not a byte is written', async (code, _, key) => {
    const before = stateOf(fixture.path);
    for (const [name, attempt] of Object.entries(attempts(fixture.path, key))) {
      await expect(attempt(), name).rejects.toMatchObject({ code, hint: expect.any(String) });
    }
    expect(stateOf(fixture.path)).toEqual(before);
  });

  it('a plain repository put in its place is refused: no plaintext is written where secrets were meant to go', async () => {
    await fixture.withCopy(async (copy) => {
      const file = join(copy, 'holdfast.json');
      const descriptor = JSON.parse(await readFile(file, 'utf8'));
      await writeFile(file, JSON.stringify({ ...descriptor, encryption: null }));
      for (const [name, attempt] of Object.entries(attempts(copy, testKey))) {
        await expect(attempt(), name).rejects.toMatchObject({ code: 'KEY_WRONG' });
      }
    });
  });

  it('one without any key slot is refused as damaged, and one with another id as not ours', async () => {
    await fixture.withCopy(async (copy) => {
      const file = join(copy, 'holdfast.json');
      const descriptor = JSON.parse(await readFile(file, 'utf8'));
      const id = '01936c3e-1111-7222-8333-444455556666';
      await writeFile(file, JSON.stringify({ ...descriptor, id }));
      await expect(fixture.open(copy)).rejects.toMatchObject({ code: 'REPO_CORRUPT' });
      await writeFile(file, JSON.stringify(descriptor));
      (await fixture.open(copy)).close();
      await rm(join(copy, 'keys'), { recursive: true });
      await expect(fixture.open(copy)).rejects.toMatchObject({ code: 'REPO_CORRUPT' });
    });
  });

  it('another cipher is refused as UNSUPPORTED_FORMAT', async () => {
    await fixture.withCopy(async (copy) => {
      const file = join(copy, 'holdfast.json');
      const descriptor = JSON.parse(await readFile(file, 'utf8'));
      const encryption = { ...descriptor.encryption, cipher: 'rot13' };
      await writeFile(file, JSON.stringify({ ...descriptor, encryption }));
      await expect(fixture.open(copy)).rejects.toMatchObject({ code: 'UNSUPPORTED_FORMAT' });
    });
  });
});

describe('everything that works on packs', () => {
  it('prune moves sealed records as they are; what is left reads as before', async () => {
    await fixture.withCopy(async (copy) => {
      const writing = await fixture.writer(copy);
      const extra = await commitFile(writing, noiseBytes(300_000, 9), null, 2);
      await writing.removeSnapshots([extra.id]);
      await writing.close();
      const limits = { graceMs: 0, unusedShare: 0, dryRun: false, lockWaitMs: 0 };
      const options = { clock: systemClock, key: testKey, ...limits };
      const report = await pruneRepository(copy, options, activity);
      expect(report.packsRewritten + report.packsDropped).toBeGreaterThan(1);
      expect(await fixture.check(copy)).toMatchObject({ ok: true, warnings: 0, snapshots: 2 });
      expect(await fixture.neverWrong(copy)).toEqual({ right: 2, refused: 0 });
      const moved = Buffer.concat((await allFiles(join(copy, 'packs'))).map(({ bytes }) => bytes));
      const before = Buffer.concat(
        (await allFiles(join(fixture.path, 'packs'))).map(({ bytes }) => bytes),
      );
      const at = before.indexOf('HFrc');
      const record = before.subarray(at, at + 84 + before.readUInt32LE(at + 12));
      expect(moved.includes(record)).toBe(true);
    });
  });

  it('the catalog is rebuilt from packs, and a torn pack gives back every record that is whole', async () => {
    await fixture.withCopy(async (copy) => {
      await rm(join(copy, 'catalog.db'));
      const report = await rebuildCatalog(copy, { clock: systemClock, key: testKey }, activity);
      expect(report).toMatchObject({ snapshots: 2 });
      expect(await fixture.neverWrong(copy)).toEqual({ right: 2, refused: 0 });
      const layout = layoutOf(copy);
      const name = (await listPacks(layout))[0]!;
      const bytes = await readFile(packPath(layout, name));
      await writeFile(packPath(layout, name), bytes.subarray(0, bytes.length - 64));
      const writing = await fixture.writer(copy);
      expect(writing.reconciled.packsTorn).toEqual([name]);
      await writing.close();
      expect(existsSync(packPath(layout, name))).toBe(true);
      expect(await fixture.neverWrong(copy)).toEqual({ right: 2, refused: 0 });
      expect(await fixture.check(copy)).toMatchObject({ ok: true });
    });
  });

  it('one that vanished is not made anew by a daemon that has had it open: its snapshots may only be unmounted', async () => {
    const master = await unlockRepository(fixture.path, testKey);
    const folder = await scratchFolder();
    const gone = join(folder.path, 'repository');
    const attempt = initRepository(gone, { clock: systemClock, key: master });
    await expect(attempt).rejects.toMatchObject({ code: 'KEY_WRONG' });
    expect(existsSync(join(gone, 'holdfast.json'))).toBe(false);
    await folder.dispose();
  });

  it('a repository that was cut off at its creation is created anew, and its leftover slot goes', async () => {
    const folder = await scratchFolder();
    const at = join(folder.path, 'repository');
    await initRepository(at, { clock: systemClock, key: testKey });
    const [slot] = readdirSync(join(at, 'keys'));
    await rename(join(at, 'holdfast.json'), join(folder.path, 'lost'));
    await expect(fixture.open(at)).rejects.toMatchObject({ code: 'REPO_UNINITIALISED' });
    await initRepository(at, { clock: systemClock, key: testKey });
    expect(readdirSync(join(at, 'keys'))).not.toContain(slot);
    (await fixture.open(at)).close();
    await folder.dispose();
  });
});
