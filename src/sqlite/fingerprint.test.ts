import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { discoverDatabases } from './discover.ts';
import { databaseFingerprint, statFingerprint } from './fingerprint.ts';
import { freshDirectory, removeDirectory } from './testing/directories.ts';
import { SqliteChild } from './testing/processes.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = freshDirectory();
  path = join(directory, 'app.db');
});
afterEach(() => removeDirectory(directory));

describe('databaseFingerprint()', () => {
  it.each(['wal', 'delete'])(
    'tells every commit apart in %s mode, even when the times do not',
    async (mode) => {
      const app = SqliteChild.start();
      try {
        await app.open(path);
        await app.exec(`PRAGMA journal_mode=${mode}; CREATE TABLE t (x); INSERT INTO t VALUES (0)`);
        // More commits than one checkpoint holds, so that the log is overwritten from its start without growing.
        await app.exec('PRAGMA wal_autocheckpoint=10');
        const seen = new Set<string>();
        for (let n = 1; n <= 60; n++) {
          await app.exec(`UPDATE t SET x = ${n}`);
          for (const name of mode === 'wal' ? [path, `${path}-wal`] : [path])
            utimesSync(name, 1, 1);
          const fingerprint = await databaseFingerprint(path);
          expect(await databaseFingerprint(path)).toBe(fingerprint);
          seen.add(fingerprint);
        }
        expect(seen.size).toBe(60);
      } finally {
        await app.kill();
      }
    },
  );

  it('an empty log counts as none, and a reader changes nothing', async () => {
    const database = new Database(path);
    database.exec('PRAGMA journal_mode=wal; CREATE TABLE t (x)');
    database.close();
    const before = [await databaseFingerprint(path), await statFingerprint(path)];
    const reader = SqliteChild.start();
    await reader.open(path, { readonly: true });
    await reader.exec('SELECT * FROM t');
    const during = await statFingerprint(path);
    await reader.kill();
    expect([await databaseFingerprint(path), await statFingerprint(path)]).toEqual(before);
    expect(during).toBe(before[1]);
  });

  it('a missing database is `missing`', async () => {
    expect(await databaseFingerprint(path)).toBe('missing');
    expect(await statFingerprint(path)).toBe('missing');
  });
});

describe('discoverDatabases()', () => {
  it('Z-42, F13: finds by header, to the depth asked for, following no symlink', async () => {
    mkdirSync(join(directory, 'one/two'), { recursive: true });
    for (const name of ['z.txt', 'one/b.db', 'one/two/c.db']) {
      new Database(join(directory, name)).exec('CREATE TABLE t (x)').close();
    }
    writeFileSync(join(directory, 'fake.db'), 'not one');
    symlinkSync(join(directory, 'z.txt'), join(directory, 'link.db'));
    const at = (depth: number) => discoverDatabases(directory, { depth });
    expect(await at(0)).toEqual([join(directory, 'z.txt')]);
    expect(await at(1)).toEqual([join(directory, 'one/b.db'), join(directory, 'z.txt')]);
    expect(await at(2)).toHaveLength(3);
    const exclude = (each: string): boolean => each.endsWith('/two');
    expect(await discoverDatabases(directory, { depth: 9, exclude })).toHaveLength(2);
    expect(await discoverDatabases(join(directory, 'none'), { depth: 0 })).toEqual([]);
  });
});
