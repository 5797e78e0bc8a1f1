import { appendFileSync, lstatSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { freshDirectory, removeDirectory } from '../sqlite/testing/directories.ts';
import { initRepository, openWriter } from '../store/repository.ts';
import type { StoreWriter } from '../store/store.ts';
import type { FileEntry } from '../store/trees/tree-entry.ts';
import { type CapturedFile, captureFile } from './capture-file.ts';
import { CaptureReport } from './capture-report.ts';
import { FileSelection } from './select-files.ts';

let directory: string;
let path: string;
let writer: StoreWriter;

beforeEach(async () => {
  directory = freshDirectory();
  path = join(directory, 'file');
  const repository = join(directory, '.repository');
  await initRepository(repository, { clock: systemClock });
  writer = await openWriter(repository, {
    codec: 'none',
    verifyWrites: 'sample',
    clock: systemClock,
    lockWaitMs: 0,
    purpose: 'test',
  });
});

afterEach(async () => {
  await writer.close();
  removeDirectory(directory);
});

/** Captures the file; `touch` runs each time after a first block was read, before the rest is. */
async function captureWhile(touch: (reading: number) => void): Promise<CapturedFile> {
  const selection = await FileSelection.create({
    exclude: [],
    include: [],
    forbiddenPaths: [],
    roots: [],
  });
  const { entries } = await selection.list(directory, 'data');
  let readings = 0;
  const touching: Pick<StoreWriter, 'writeContent'> = {
    writeContent: async (source, parent, activity) =>
      writer.writeContent(
        {
          bytes: source.bytes,
          read: async (offset, lengthBytes) => {
            const bytes = await source.read(offset, lengthBytes);
            if (offset === 0) touch(++readings);
            return bytes;
          },
        },
        parent,
        activity,
      ),
  };
  return captureFile(entries.find((entry) => entry.name === 'file')!, null, {
    writer: touching as StoreWriter,
    report: new CaptureReport(quietActivity()),
    activity: quietActivity(),
    fileBytesMax: null,
    countsLines: () => false,
    scratchDirectory: directory,
  });
}

async function stored(result: CapturedFile): Promise<{ entry: FileEntry; bytes: Buffer }> {
  if (result.kind !== 'file') throw new Error(result.kind);
  const pieces: Buffer[] = [];
  for await (const piece of writer.reader.readContent(result.entry.content)) pieces.push(piece);
  return { entry: result.entry, bytes: Buffer.concat(pieces) };
}

const MIB = 1024 * 1024;

describe('captureFile()', () => {
  it('Z-D2: a file that changes once while it is read is read again, and then exact', async () => {
    writeFileSync(path, Buffer.alloc(3 * MIB, 1));
    const result = await captureWhile((reading) => {
      if (reading === 1) writeFileSync(path, Buffer.alloc(2 * MIB, 2));
    });
    const { entry, bytes } = await stored(result);
    expect(entry.changedWhileReading).toBeUndefined();
    expect(bytes.equals(Buffer.alloc(2 * MIB, 2))).toBe(true);
  });

  it('Z-D2: a file that always grows is kept as it was read, and marked', async () => {
    writeFileSync(path, Buffer.alloc(3 * MIB, 1));
    const { entry, bytes } = await stored(await captureWhile(() => appendFileSync(path, 'more')));
    expect(entry.changedWhileReading).toBe(true);
    expect(bytes.length).toBeGreaterThanOrEqual(3 * MIB);
  });

  it('Z-D2: a file that always shrinks is kept at a length it had, never padded, and marked', async () => {
    writeFileSync(path, Buffer.alloc(8 * MIB, 1));
    const result = await captureWhile((reading) => truncateSync(path, (8 - reading) * MIB));
    const { entry, bytes } = await stored(result);
    expect(entry.changedWhileReading).toBe(true);
    expect(bytes.length).toBeGreaterThan(0);
    expect(bytes.every((byte) => byte === 1)).toBe(true);
  });

  it('a database is told from an ordinary file whatever the listing took it for', async () => {
    writeFileSync(path, 'SQLite format 3\0 and so on');
    expect(await captureWhile(() => {})).toEqual({ kind: 'database' });
  });

  it('a file that is gone is skipped as vanished', async () => {
    writeFileSync(path, 'x');
    const listed = {
      name: 'gone',
      path: join(directory, 'gone'),
      logicalPath: 'data/gone',
      kind: 'file' as const,
      stat: lstatSync(path, { bigint: true }),
    };
    const result = await captureFile(listed, null, {
      writer,
      report: new CaptureReport(quietActivity()),
      activity: quietActivity(),
      fileBytesMax: null,
      countsLines: () => false,
      scratchDirectory: directory,
    });
    expect(result).toMatchObject({ kind: 'skipped', skip: { reason: 'vanished' } });
  });
});
