import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freshDirectory, removeDirectory } from './testing/directories.ts';
import { FRAME_HEADER_BYTES, framePageOffset, parseWalHeader, readWalFrames } from './wal.ts';

let directory: string;
beforeEach(() => {
  directory = freshDirectory();
});
afterEach(() => removeDirectory(directory));

const readerOf =
  (bytes: Buffer) =>
  (offset: number, length: number): Buffer =>
    bytes.subarray(offset, offset + length);

/** The state that main file and log stand for, put together by our reader. */
function overlaid(main: Buffer, wal: Buffer): Buffer {
  const found = readWalFrames(readerOf(wal), wal.length);
  if (found === null || found.lastFrame === 0) return main;
  const { pageBytes } = found.header;
  const image = Buffer.alloc(found.pageCount * pageBytes);
  main.copy(image);
  for (let page = 1; page <= found.pageCount; page++) {
    const frame = found.frames.get(page);
    if (frame === 0) continue;
    const offset = framePageOffset(frame, pageBytes);
    wal.copy(image, (page - 1) * pageBytes, offset, offset + pageBytes);
  }
  return image;
}

function rowsOf(path: string): unknown[] {
  const database = new Database(path);
  try {
    return database.prepare('SELECT * FROM t ORDER BY id').all();
  } catch (error) {
    // Damage may take the table itself away: then both readings must lack it.
    return [(error as { code: string }).code];
  } finally {
    database.close();
  }
}

type Step = 'insert' | 'update' | 'delete' | 'checkpoint' | 'restart' | 'vacuum';
const SQL: Record<Step, string> = {
  insert: 'INSERT INTO t (body) VALUES (randomblob(abs(random() % 5000)))',
  update: 'UPDATE t SET body = randomblob(300) WHERE id % 3 = 0',
  delete: 'DELETE FROM t WHERE id % 5 = 1',
  checkpoint: 'PRAGMA wal_checkpoint(PASSIVE)',
  restart: 'PRAGMA wal_checkpoint(RESTART)',
  vacuum: 'VACUUM',
};

describe('readWalFrames()', () => {
  it('sees exactly what SQLite recovers, whatever was written and wherever the log is cut or damaged', () => {
    const step = fc.constantFrom(...(Object.keys(SQL) as Step[]));
    const history = fc.record({
      pageBytes: fc.constantFrom(512, 1024, 4096, 65536),
      steps: fc.array(step, { minLength: 1, maxLength: 12 }),
      cutAt: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
      flipAt: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
    });
    let run = 0;
    fc.assert(
      fc.property(history, ({ pageBytes, steps, cutAt, flipAt }) => {
        run += 1;
        const live = join(directory, `live-${run}.db`);
        const database = new Database(live);
        database.exec(
          `PRAGMA page_size=${pageBytes}; PRAGMA journal_mode=wal; PRAGMA wal_autocheckpoint=0;
           CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB); PRAGMA wal_checkpoint(TRUNCATE);`,
        );
        for (const name of steps) database.exec(SQL[name]);
        const main = readFileSync(live);
        let wal = readFileSync(`${live}-wal`);
        database.close();
        if (cutAt !== null) wal = wal.subarray(0, Math.floor(cutAt * wal.length));
        if (flipAt !== null && wal.length > 0) {
          const at = Math.min(wal.length - 1, Math.floor(flipAt * wal.length));
          wal[at] = wal[at]! ^ 0x10;
        }
        const ours = join(directory, `ours-${run}.db`);
        const theirs = join(directory, `theirs-${run}.db`);
        writeFileSync(ours, overlaid(main, wal));
        writeFileSync(theirs, main);
        writeFileSync(`${theirs}-wal`, wal);
        const header = parseWalHeader(wal);
        // A log of another version makes SQLite refuse the database; a damaged header makes it ignore the log.
        fc.pre(wal.length < 8 || wal.readUInt32BE(4) === 3_007_000 || header !== null);
        expect(rowsOf(ours)).toEqual(rowsOf(theirs));
      }),
      { numRuns: 120 },
    );
  });

  it('within a limit it goes on past a damaged frame, and names it', () => {
    const live = join(directory, 'live.db');
    const database = new Database(live);
    database.exec('PRAGMA journal_mode=wal; CREATE TABLE t (id INTEGER PRIMARY KEY, body)');
    for (let n = 0; n < 5; n++) database.exec("INSERT INTO t (body) VALUES ('x')");
    const copy = join(directory, 'copy-wal');
    copyFileSync(`${live}-wal`, copy);
    database.close();
    const wal = readFileSync(copy);
    const whole = readWalFrames(readerOf(wal), wal.length)!;
    const { pageBytes, bigEndian, salts } = whole.header;
    const limit = { lastFrame: whole.lastFrame, pageBytes, bigEndian, salts };
    expect(readWalFrames(readerOf(wal), wal.length, limit)?.badFrame).toBeNull();
    const offset = framePageOffset(3, pageBytes) - FRAME_HEADER_BYTES + 100;
    wal[offset] = wal[offset]! ^ 1;
    const found = readWalFrames(readerOf(wal), wal.length, limit)!;
    expect(found.badFrame).toBe(3);
    expect(found.lastFrame).toBe(whole.lastFrame);
    expect(readWalFrames(readerOf(wal), wal.length)?.lastFrame).toBe(2);
  });
});
