import { execFileSync } from 'node:child_process';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quietActivity } from '../../kernel/activity.ts';
import { extractArchive } from './extract-archive.ts';
import { ExtractedTree } from './extracted-tree.ts';
import { ArchiveScratch, directoryEntry, fileEntry, linkEntry } from './testing/archive-scratch.ts';
import { rawTarHeader, TAR_END } from './testing/tar-bytes.ts';
import { rawZip } from './testing/zip-bytes.ts';

/** A million where there is time for it. */
const MANY = process.env['HOLDFAST_TEST_LARGE'] === '1' ? 1_000_000 : 100_000;

let scratch: ArchiveScratch;

beforeEach(async () => {
  scratch = await ArchiveScratch.make();
});

afterEach(async () => {
  await scratch.remove();
});

/** Headers of empty files, each with a name of its own, compressed a thousand at a time. */
function manyEntries(count: number): Buffer {
  const members: Buffer[] = [];
  for (let start = 0; start < count; start += 1000) {
    const headers = Array.from({ length: Math.min(1000, count - start) }, (_, index) =>
      rawTarHeader({ name: `d/${start + index}` }),
    );
    members.push(gzipSync(Buffer.concat(headers), { level: 1 }));
  }
  return Buffer.concat([...members, gzipSync(TAR_END)]);
}

/** The end of a zip archive of 64 bits that has this many entries, and nothing in front. */
function zip64EndOf(entries: number): Buffer {
  const end = Buffer.alloc(98);
  end.write('PK\x06\x06', 0, 'latin1');
  end.writeBigUInt64LE(44n, 4);
  end.writeBigUInt64LE(BigInt(entries), 24);
  end.writeBigUInt64LE(BigInt(entries), 32);
  end.write('PK\x06\x07', 56, 'latin1');
  end.writeUInt32LE(1, 72);
  end.write('PK\x05\x06', 76, 'latin1');
  end.writeUInt16LE(0xffff, 84);
  end.writeUInt16LE(0xffff, 86);
  return end;
}

describe('extractArchive()', () => {
  it('T-34: a million entries and one are refused before the first is written, in bounded memory', async () => {
    const path = await scratch.file(manyEntries(MANY + 1));
    const before = process.memoryUsage().rss;
    const extracting = scratch.extract(path, { limits: { entriesMax: MANY } });
    await expect(extracting).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024);
    expect(await scratch.names()).toHaveLength(1);
  });

  it('T-34: a zip that announces a million entries and one is refused without looking for them', async () => {
    // A format is told by how it begins, and an archive begins with an entry.
    const start = rawZip([{ name: 'a' }]).subarray(0, 4);
    const path = await scratch.file(Buffer.concat([start, zip64EndOf(1_000_001)]));
    const end = Buffer.from(zip64EndOf(1_000_001));
    end.writeBigUInt64LE(4n, 48);
    end.writeUInt32LE(4, 92);
    end.writeBigUInt64LE(4n, 64);
    await writeFile(path, Buffer.concat([start, end]));
    await expect(scratch.extract(path)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('the directory is private, and what it holds has the modes of the archive', async () => {
    const entries = [directoryEntry('closed', 0o500), fileEntry('closed/a', 'a', 0o400)];
    const { directory } = await scratch.extract(await scratch.archive(entries, 'tar'));
    expect((await stat(directory)).mode & 0o7777).toBe(0o700);
    expect((await stat(join(directory, 'closed'))).mode & 0o7777).toBe(0o500);
  });

  it('what is there already is not touched', async () => {
    const archive = await scratch.archive([fileEntry('a', 'a')], 'zip');
    const directory = scratch.fresh('there');
    await mkdir(directory);
    await writeFile(join(directory, 'mine'), '');
    const options = { activity: quietActivity() };
    await expect(extractArchive(archive, directory, options)).rejects.toMatchObject({
      code: 'TARGET_NOT_EMPTY',
    });
    expect(await readdir(directory)).toEqual(['mine']);
    await expect(
      extractArchive(archive, join(scratch.root, 'no', 'parent'), options),
    ).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
    await expect(
      extractArchive(join(scratch.root, 'nothing'), directory, options),
    ).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
    await expect(extractArchive(scratch.root, directory, options)).rejects.toMatchObject({
      code: 'UNSUPPORTED_FORMAT',
    });
  });

  it('a pipe is refused, not waited for', async () => {
    const pipe = scratch.fresh('pipe');
    execFileSync('mkfifo', [pipe]);
    await expect(scratch.extract(pipe)).rejects.toMatchObject({ code: 'UNSUPPORTED_FORMAT' });
  });

  it.each(['tar', 'tar.gz', 'zip'] as const)(
    'cancelled at any moment, %s leaves nothing',
    async (format) => {
      const entries = [
        directoryEntry('closed', 0o000),
        ...Array.from({ length: 20 }, (_, index) =>
          fileEntry(`closed/${index}`, 'x'.repeat(90_000)),
        ),
        linkEntry('link', 'closed'),
      ];
      const path = await scratch.archive(entries, format);
      const names = await scratch.names();
      for (let moment = 1; moment < 60; moment += 3) {
        const controller = new AbortController();
        let reports = 0;
        const activity = {
          ...quietActivity(controller.signal),
          progress: () => {
            reports += 1;
            if (reports === moment) controller.abort();
          },
        };
        await expect(scratch.extract(path, { activity })).rejects.toMatchObject({
          name: 'AbortError',
        });
        expect(await scratch.names()).toEqual(names);
      }
    },
  );

  it('F22: progress is counted in entries and bytes, up to the totals', async () => {
    const entries = [fileEntry('a', 'alpha'), fileEntry('b', 'beta'), linkEntry('c', 'a')];
    const reports: object[] = [];
    const activity = { ...quietActivity(), progress: (counts: object) => reports.push(counts) };
    await scratch.extract(await scratch.archive(entries, 'zip'), { activity });
    expect(Object.assign({}, ...reports)).toMatchObject({
      phase: 'extract',
      filesDone: 3,
      totalFiles: 3,
      bytesDone: 9,
      totalBytes: 9,
    });
  });

  it('T-34: two names that the file system takes for one are refused', async () => {
    const root = scratch.fresh('tree');
    const tree = await ExtractedTree.make(root);
    // As a file system does that folds case, or composes characters.
    await writeFile(join(root, 'name'), '');
    await tree.add(fileEntry('name', 'small'));
    await expect(tree.finish()).rejects.toMatchObject({ code: 'PATH_UNSAFE' });
    await expect(tree.add(fileEntry('name', 'x'.repeat(100_000)))).rejects.toMatchObject({
      code: 'PATH_UNSAFE',
    });
    await expect(tree.addDirectory('name')).rejects.toMatchObject({ code: 'PATH_UNSAFE' });
    await tree.remove();
    expect(await scratch.names()).toEqual([]);
  });
});
