import {
  closeSync,
  copyFileSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, describe, expect, it } from 'vitest';
import { freshDirectory, removeDirectory } from '../testing/directories.ts';
import { type FilePageSource, openPageSource, type PageSourceOptions } from './page-source.ts';

const directory = freshDirectory();
afterAll(() => removeDirectory(directory));

function using<T>(path: string, options: PageSourceOptions, use: (source: FilePageSource) => T): T {
  const source = openPageSource(path, options);
  try {
    return use(source);
  } finally {
    source.close();
  }
}

const allPages = (source: FilePageSource): Buffer =>
  Buffer.concat(Array.from({ length: source.pageCount }, (_, index) => source.read(index + 1)!));

/** A database of 200 rows and more, closed. */
function filled(name: string, pageBytes: number): string {
  const path = join(directory, name);
  const db = new Database(path);
  db.pragma(`page_size = ${pageBytes}`);
  db.exec(`CREATE TABLE t(id INTEGER PRIMARY KEY, body);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
    INSERT INTO t SELECT i, 'row ' || i || ' of a table' FROM n`);
  db.close();
  return path;
}

/** A database and its log as a crash leaves them, and what SQLite makes of them. */
function crashed(name: string): { main: string; wal: string; recovered: Buffer } {
  const path = join(directory, `${name}-live.db`);
  const db = new Database(path);
  db.pragma('journal_mode = WAL');
  db.pragma('wal_autocheckpoint = 0');
  db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, body)');
  db.pragma('wal_checkpoint(TRUNCATE)');
  const insert = db.prepare('INSERT INTO t(body) VALUES (?)');
  for (let count = 0; count < 40; count++) insert.run(Buffer.alloc(900, count));
  db.exec('DELETE FROM t WHERE id > 30');
  const main = join(directory, `${name}.db`);
  const wal = join(directory, `${name}.log`);
  copyFileSync(path, main);
  copyFileSync(`${path}-wal`, wal);
  db.pragma('wal_checkpoint(TRUNCATE)');
  db.close();
  return { main, wal, recovered: readFileSync(path) };
}

describe('openPageSource', () => {
  it('lays the log over the file, up to its last commit, as SQLite does', () => {
    const { main, wal, recovered } = crashed('whole');
    using(main, { wal }, (source) => {
      expect(source.walFrames).toBeGreaterThan(40);
      expect(source.pageCount).toBe(recovered.length / source.pageBytes);
      expect(allPages(source).equals(recovered)).toBe(true);
    });
  });

  it('ignores what of a log comes after the first bad frame, and a log that is garbage', () => {
    const { main, wal } = crashed('cut');
    const whole = using(main, { wal }, (source) => source.walFrames);
    truncateSync(wal, readFileSync(wal).length - 100);
    using(main, { wal }, (source) => {
      expect(source.walFrames).toBeLessThan(whole);
      expect(source.walFrames).toBeGreaterThan(0);
    });
    writeFileSync(wal, Buffer.alloc(20_000, 7));
    using(main, { wal }, (source) => {
      expect(source.walFrames).toBe(0);
      expect(allPages(source).equals(readFileSync(main))).toBe(true);
    });
  });

  it.each([512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536])(
    'finds pages of %i bytes though page 1 is zeroed',
    (pageBytes) => {
      const path = filled(`${pageBytes}.db`, pageBytes);
      const sound = readFileSync(path);
      const handle = openSync(path, 'r+');
      writeSync(handle, Buffer.alloc(pageBytes), 0, pageBytes, 0);
      closeSync(handle);
      using(path, {}, (source) => {
        expect(source.header).toBeNull();
        expect(source.pageBytes).toBe(pageBytes);
        expect(source.pageCount).toBe(sound.length / pageBytes);
        expect(source.read(2)?.equals(sound.subarray(pageBytes, 2 * pageBytes))).toBe(true);
      });
    },
  );

  it('takes the facts of a caller before those of a damaged header', () => {
    const path = filled('facts.db', 1024);
    const facts = {
      pageBytes: 2048,
      reservedBytes: 16,
      encoding: 'UTF-16be',
      pageCount: 3,
    } as const;
    using(path, { facts: { ...facts, autoVacuum: true } }, (source) => {
      expect(source).toMatchObject({ ...facts, usableBytes: 2032, autoVacuum: true });
      expect(source.read(4)).toBeNull();
    });
  });

  it('gives what is left of a page that the file ends in, and no page beyond', () => {
    const path = filled('short.db', 1024);
    truncateSync(path, 5 * 1024 + 300);
    using(path, {}, (source) => {
      expect(source.pageCount).toBe(6);
      expect(source.read(6)).toHaveLength(300);
      for (const page of [0, -1, 7, 1.5, Number.NaN]) expect(source.read(page)).toBeNull();
    });
  });

  it('refuses a file in which nothing tells the page size', () => {
    const path = join(directory, 'noise.db');
    writeFileSync(path, Buffer.alloc(10_000, 0x33));
    expect(() => openPageSource(path)).toThrow(expect.objectContaining({ code: 'SOURCE_CORRUPT' }));
  });
});

describe('existingPages()', () => {
  const last = 0xffff_fffe;

  it('ends with the files, whatever number of pages a header or a journal claims', () => {
    const claimed = filled('claimed.db', 1024);
    const count = using(claimed, {}, ({ pageCount }) => pageCount);
    using(claimed, { facts: { pageCount: last } }, (source) => {
      expect(source.pageCount).toBe(last);
      expect([...source.existingPages()]).toHaveLength(count);
    });
    const journal = join(directory, 'claimed.db-journal');
    const header = Buffer.alloc(512);
    Buffer.from('d9d505f920a163d7', 'hex').copy(header);
    // No records, a nonce of zero, the pages before, sectors of 512 bytes, pages of 1024.
    for (const [index, value] of [0, 0, last, 512, 1024].entries()) {
      header.writeUInt32BE(value, 8 + index * 4);
    }
    writeFileSync(journal, header);
    using(claimed, { journal }, (source) => {
      expect(source.pageCount).toBe(last);
      expect([...source.existingPages()]).toHaveLength(count);
    });
  });

  it('names pages that only the log holds', () => {
    const { main, wal } = crashed('only-logged');
    truncateSync(main, 1024);
    using(main, { wal }, (source) => {
      const pages = [...source.existingPages()];
      expect(pages.length).toBeGreaterThan(1);
      expect(pages).toEqual([...pages].sort((left, right) => left - right));
      for (const page of pages) expect(source.read(page)).not.toBeNull();
    });
  });
});
