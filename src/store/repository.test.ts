import { fork } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { verifySnapshot } from './repository.ts';
import type { StoreReader } from './store.ts';
import { REPOSITORY_KINDS } from './testing/repository-kinds.ts';
import {
  activity,
  commitFile,
  fileOf,
  rowBytes,
  scratchFolder,
} from './testing/scratch-repository.ts';

describe.each(REPOSITORY_KINDS)(
  'of a repository: $kind;',
  ({
    initRepository,
    scratchRepository,
    writerOf,
    openReader,
    checkRepository,
    rebuildCatalog,
  }) => {
    let path: string;
    let dispose: () => Promise<void>;

    beforeEach(async () => {
      ({ path, dispose } = await scratchRepository());
    });
    afterEach(() => dispose());

    describe('initRepository()', () => {
      it('leaves an existing repository as it is', async () => {
        const before = await readFile(join(path, 'holdfast.json'));
        await initRepository(path, { clock: systemClock });
        expect(await readFile(join(path, 'holdfast.json'))).toEqual(before);
      });

      it('refuses a folder with other files in it', async () => {
        const folder = await scratchFolder();
        await writeFile(join(folder.path, 'letter.txt'), 'dear');
        const attempt = initRepository(folder.path, { clock: systemClock });
        await expect(attempt).rejects.toMatchObject({ code: 'TARGET_NOT_EMPTY' });
        expect(readdirSync(folder.path)).toEqual(['letter.txt']);
        await folder.dispose();
      });

      it('refuses to make a new repository of one that lost its description', async () => {
        const writer = await writerOf(path);
        await commitFile(writer, rowBytes(1000));
        await writer.close();
        await rm(join(path, 'holdfast.json'));
        const attempt = initRepository(path, { clock: systemClock });
        await expect(attempt).rejects.toMatchObject({ code: 'REPO_CORRUPT' });
      });
    });

    describe('opening', () => {
      it('says that there is no repository where there is none', async () => {
        const attempt = openReader(join(path, 'packs'));
        await expect(attempt).rejects.toMatchObject({ code: 'REPO_UNINITIALISED' });
        await expect(writerOf(join(path, 'nowhere'))).rejects.toMatchObject({
          code: 'REPO_UNINITIALISED',
        });
      });

      it.each([
        ['a future format', { format: 2 }],
        ['another hash', { hash: 'blake3' }],
        ['another chunk size', { chunkBytes: 4096 }],
        ['encryption', { encryption: { cipher: 'aes-256-gcm' } }],
        ['an unknown field', { compression: 'lzma' }],
        ['a hostile id', { id: '../../etc' }],
      ])('refuses %s as UNSUPPORTED_FORMAT', async (_name, change) => {
        const file = join(path, 'holdfast.json');
        const description = JSON.parse(await readFile(file, 'utf8'));
        await writeFile(file, JSON.stringify({ ...description, ...change }));
        for (const attempt of [() => openReader(path), () => writerOf(path)]) {
          await expect(attempt()).rejects.toMatchObject({ code: 'UNSUPPORTED_FORMAT' });
        }
      });

      it.each([
        '',
        '{',
        'null',
        '[]',
        '"x"',
        `{"format":${'9'.repeat(400)}}`,
        `"${'x'.repeat(70_000)}"`,
      ])('refuses hostile bytes in holdfast.json with an error of ours: %.20s', async (text) => {
        await writeFile(join(path, 'holdfast.json'), text);
        await expect(openReader(path)).rejects.toMatchObject({
          code: expect.stringMatching(/^(REPO_CORRUPT|UNSUPPORTED_FORMAT)$/),
        });
      });
    });

    describe('one writer, many readers', () => {
      it('T-D9, F-08: refuses a second writer and names the holder, in this process and from another', async () => {
        const writer = await writerOf(path, { purpose: 'backup of app' });
        await expect(writerOf(path)).rejects.toMatchObject({
          code: 'REPO_LOCKED',
          message: expect.stringMatching(`${process.pid} \\(backup of app\\)`),
        });
        await writer.close();
        const child = fork(new URL('./testing/hold-lock.mjs', import.meta.url), [
          join(path, 'lock.db'),
        ]);
        await new Promise((resolve) => child.once('message', resolve));
        await expect(writerOf(path)).rejects.toMatchObject({ code: 'REPO_LOCKED' });
        child.kill('SIGKILL');
        await new Promise((resolve) => child.once('exit', resolve));
        await (await writerOf(path)).close();
      });

      it('Z-D26, F60: lets readers read and check while a writer works, and see what is committed at once', async () => {
        const writer = await writerOf(path);
        const first = rowBytes(300_000, 1);
        const { id } = await commitFile(writer, first);
        const reader = await openReader(path);
        expect((await fileOf(reader, id)).equals(first)).toBe(true);
        const second = rowBytes(300_000, 2);
        const later = await commitFile(writer, second, null, 5);
        expect(reader.listSnapshots().map((each) => each.id)).toEqual([later.id, id]);
        expect((await fileOf(reader, later.id)).equals(second)).toBe(true);
        expect((await checkRepository(path, { readData: 'all' }, activity)).findings).toEqual([]);
        reader.close();
        await writer.close();
      });

      it('shows what a writer wrote to its own reader before anything is sealed', async () => {
        const writer = await writerOf(path);
        const bytes = rowBytes(200_000);
        const content = await writer.writeContent(
          { bytes: bytes.length, read: (at, length) => bytes.subarray(at, at + length) },
          null,
          activity,
        );
        const chunks: Buffer[] = [];
        for await (const chunk of writer.reader.readContent(content)) chunks.push(chunk);
        expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
        await writer.close();
        expect((await openReader(path)).listSnapshots()).toEqual([]);
      });
    });

    /** Everything that must not depend on the catalog. */
    async function answers(reader: StoreReader): Promise<unknown> {
      const list = reader.listSnapshots();
      const files = [];
      for (const { id } of list) files.push((await fileOf(reader, id)).toString('latin1'));
      return {
        list,
        files,
        latest: reader.resolveSnapshot('latest'),
        statistics: reader.statistics(),
      };
    }

    describe('catalog.db', () => {
      const images = [rowBytes(400_000, 1), rowBytes(400_000, 1), rowBytes(500_000, 3)];
      images[1]!.write('changed', 123_456);

      async function fill(): Promise<void> {
        const writer = await writerOf(path);
        let parent = null;
        for (const [at, image] of images.entries()) {
          parent = (await commitFile(writer, image, parent, at)).content;
        }
        await writer.close();
      }

      const damages: [string, (file: string) => Promise<void>][] = [
        ['deleted', (file) => rm(file)],
        ['overwritten with text', (file) => writeFile(file, 'this is no database')],
        ['empty', (file) => writeFile(file, '')],
        ['torn', async (file) => writeFile(file, (await readFile(file)).subarray(0, 5000))],
        [
          "another repository's",
          async (file) => {
            const other = await scratchRepository();
            const writer = await writerOf(other.path);
            await commitFile(writer, rowBytes(100));
            await writer.close();
            await copyFile(join(other.path, 'catalog.db'), file);
            await other.dispose();
          },
        ],
        [
          'full of rot',
          async (file) => {
            const bytes = await readFile(file);
            bytes.fill(0xa5, 4096);
            await writeFile(file, bytes);
          },
        ],
      ];

      it.each(damages)('%s: a reader gives the same answers', async (_name, damage) => {
        await fill();
        const before = await openReader(path);
        const expected = await answers(before);
        before.close();
        await damage(join(path, 'catalog.db'));
        for (const suffix of ['-wal', '-shm'])
          await rm(join(path, `catalog.db${suffix}`), { force: true });
        const after = await openReader(path);
        for (const { id } of after.listSnapshots()) {
          expect((await verifySnapshot(after, id, { deep: true }, activity)).findings).toEqual([]);
        }
        expect(await answers(after)).toEqual(expected);
        after.close();
      });

      it.each(damages)('%s: a rebuild, or the next writer, sets it right', async (name, damage) => {
        await fill();
        const before = await openReader(path);
        const expected = await answers(before);
        before.close();
        await damage(join(path, 'catalog.db'));
        for (const suffix of ['-wal', '-shm'])
          await rm(join(path, `catalog.db${suffix}`), { force: true });
        if (name === 'full of rot') await rebuildCatalog(path, { clock: systemClock }, activity);
        const writer = await writerOf(path);
        expect(writer.reconciled.catalogRebuilt).toBe(name !== 'full of rot');
        const again = await commitFile(writer, images[2]!, null, 2);
        expect(writer.statistics()).toMatchObject({ chunksNew: 0, chunksDelta: 0, addedBytes: 0 });
        await rm(join(path, 'snapshots', `${again.id}.json`));
        await writer.close();
        const after = await openReader(path);
        expect(await answers(after)).toEqual(expected);
        after.close();
        expect(existsSync(join(path, 'catalog.db'))).toBe(true);
        const report = await checkRepository(path, { readData: 'all' }, activity);
        expect(report.ok).toBe(true);
      });

      it('an older copy of itself: the missing packs and snapshots are adopted', async () => {
        const writer = await writerOf(path);
        const first = await commitFile(writer, images[0]!, null, 0);
        await writer.close();
        const old = await readFile(join(path, 'catalog.db'));
        const next = await writerOf(path);
        const second = await commitFile(next, images[2]!, first.content, 1);
        await next.close();
        await writeFile(join(path, 'catalog.db'), old);
        const reader = await openReader(path);
        expect((await fileOf(reader, second.id)).equals(images[2]!)).toBe(true);
        reader.close();
        const third = await writerOf(path);
        expect(third.reconciled.packsAdopted).toHaveLength(1);
        expect(third.reconciled.snapshotsAdopted).toEqual([second.id]);
        await third.close();
      });
    });

    describe('resolveSnapshot()', () => {
      it('takes ids, unique prefixes of four digits and more, and latest', async () => {
        const writer = await writerOf(path);
        const old = await commitFile(writer, rowBytes(10), null, 1);
        const newest = await commitFile(writer, rowBytes(20), null, 9);
        const { reader } = writer;
        expect(reader.resolveSnapshot(old.id)).toBe(old.id);
        expect(reader.resolveSnapshot(old.id.slice(0, 12))).toBe(old.id);
        expect(reader.resolveSnapshot('latest')).toBe(newest.id);
        expect(reader.resolveSnapshot('latest', 'source-1')).toBe(newest.id);
        for (const reference of [old.id.slice(0, 3), 'zzzz', '', '../x', `${old.id}0`]) {
          expect(() => reader.resolveSnapshot(reference)).toThrow(/no snapshot has this id/);
        }
        expect(() => reader.resolveSnapshot('latest', 'nobody')).toThrow(/no snapshot yet/);
        await writer.close();
      });
    });

    describe('notes', () => {
      it('T-12: change without the snapshot changing, and damage to them counts as pinned', async () => {
        const writer = await writerOf(path);
        const { id } = await commitFile(writer, rowBytes(10));
        const verification = {
          at: '2026-02-03T04:05:06.000Z',
          level: 'deep' as const,
          ok: true,
          findings: [],
        };
        await writer.writeNotes(id, { tags: ['x'], pinned: false, verifications: [verification] });
        expect(writer.reader.listSnapshots()[0]).toMatchObject({
          tags: ['x'],
          pinned: false,
          verifiedLevel: 'deep',
          verifiedOk: true,
        });
        const file = join(path, 'notes', `${id}.json`);
        const sound = await readFile(file);
        for (let at = 0; at < sound.length; at += 1) {
          const bytes = Buffer.from(sound);
          bytes[at]! ^= 1;
          await writeFile(file, bytes);
          await expect(writer.reader.readNotes(id)).rejects.toMatchObject({ code: 'REPO_CORRUPT' });
        }
        expect(writer.reader.listSnapshots()[0]).toMatchObject({ tags: [], pinned: true });
        await writer.close();
      });

      it('are refused for a snapshot that does not exist', async () => {
        const writer = await writerOf(path);
        const notes = { tags: [], pinned: true, verifications: [] };
        const attempt = writer.writeNotes('0'.repeat(64), notes);
        await expect(attempt).rejects.toMatchObject({ code: 'NOT_FOUND' });
        await writer.close();
        await mkdir(join(path, 'notes'), { recursive: true });
        expect(readdirSync(join(path, 'notes'))).toEqual([]);
      });
    });
  },
);
