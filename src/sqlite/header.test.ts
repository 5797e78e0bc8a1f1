import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isSidecarName } from './family.ts';
import { HEADER_BYTES, isDatabaseHeader, parseHeader, SQLITE_MAGIC } from './header.ts';
import { freshDirectory, removeDirectory } from './testing/directories.ts';

let directory: string;
beforeEach(() => {
  directory = freshDirectory();
});
afterEach(() => removeDirectory(directory));

describe('parseHeader()', () => {
  it('agrees with what SQLite says of a database that SQLite made', () => {
    let run = 0;
    const settings = fc.record({
      pageBytes: fc.constantFrom(512, 1024, 2048, 4096, 8192, 16384, 32768, 65536),
      encoding: fc.constantFrom('UTF-8', 'UTF-16le', 'UTF-16be'),
      vacuum: fc.constantFrom(0, 1, 2),
      mode: fc.constantFrom('wal', 'delete'),
      userVersion: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      applicationId: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    });
    fc.assert(
      fc.property(settings, (given) => {
        const path = join(directory, `${++run}.db`);
        const database = new Database(path);
        database.exec(
          `PRAGMA page_size=${given.pageBytes}; PRAGMA encoding='${given.encoding}';
           PRAGMA auto_vacuum=${given.vacuum}; CREATE TABLE t (x);
           PRAGMA user_version=${given.userVersion}; PRAGMA application_id=${given.applicationId};
           PRAGMA journal_mode=${given.mode};`,
        );
        const value = (pragma: string): unknown => database.pragma(pragma, { simple: true });
        const expected = {
          pageBytes: value('page_size'),
          pageCount: value('page_count'),
          schemaCookie: value('schema_version'),
          freelistPages: value('freelist_count'),
          encoding: value('encoding'),
          userVersion: given.userVersion,
          applicationId: given.applicationId,
          autoVacuum: given.vacuum !== 0,
          incrementalVacuum: given.vacuum === 2,
          journalMode: given.mode === 'wal' ? 'wal' : 'rollback',
          reservedBytes: 0,
        };
        database.close();
        expect(parseHeader(readFileSync(path))).toMatchObject(expected);
      }),
      { numRuns: 60 },
    );
  });

  it('never throws on other bytes, and takes only what begins with the magic', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, magic) => {
        const input = magic ? Buffer.concat([SQLITE_MAGIC, bytes]) : Buffer.from(bytes);
        expect(isDatabaseHeader(input)).toBe(magic);
        if (!magic || input.length < HEADER_BYTES) expect(parseHeader(input)).toBeNull();
        else parseHeader(input);
      }),
    );
  });
});

describe('isSidecarName()', () => {
  it('splits the names SQLite makes, and no others', () => {
    expect(isSidecarName('app.db-wal')).toEqual({ main: 'app.db', suffix: '-wal' });
    expect(isSidecarName('a-shm-journal')).toEqual({ main: 'a-shm', suffix: '-journal' });
    for (const name of ['-wal', 'app.db', 'app.db.wal', 'app.db-wal2']) {
      expect(isSidecarName(name)).toBeNull();
    }
  });
});
