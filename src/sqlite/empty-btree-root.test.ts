import { closeSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkDatabase } from './database-check.ts';
import { emptyBtreeRoots, forgetFreelist } from './empty-btree-root.ts';
import { freshDirectory, removeDirectory } from './testing/directories.ts';

let directory: string;
let path: string;

beforeEach(() => {
  directory = freshDirectory();
  path = join(directory, 'app.db');
});
afterEach(() => removeDirectory(directory));

function make(pageBytes: number): Record<string, number> {
  const database = new Database(path);
  database.pragma(`page_size = ${pageBytes}`);
  database.exec(`CREATE TABLE t(id INTEGER PRIMARY KEY, text TEXT UNIQUE); CREATE INDEX i ON t(text, id);
    CREATE TABLE doomed(text)`);
  const insert = database.prepare('INSERT INTO t VALUES(?, ?)');
  const doomed = database.prepare('INSERT INTO doomed VALUES(?)');
  database.transaction(() => {
    for (let id = 1; id <= 3_000; id += 1) {
      insert.run(id, `${(id * 7919) % 10_007} `.repeat(8));
      doomed.run('x'.repeat(200));
    }
  })();
  database.exec('DROP TABLE doomed');
  const rows = database.prepare('SELECT name, rootpage FROM sqlite_schema').raw().all();
  database.close();
  return Object.fromEntries(rows as [string, number][]);
}

function zero(page: number, pageBytes: number): void {
  const handle = openSync(path, 'r+');
  writeSync(handle, Buffer.alloc(pageBytes), 0, pageBytes, (page - 1) * pageBytes);
  closeSync(handle);
}

describe('emptyBtreeRoots', () => {
  it.each([512, 4096, 65_536])(
    'makes an unreadable index rebuildable, all rows kept, with pages of %i bytes',
    (pageBytes) => {
      const roots = make(pageBytes);
      for (const name of ['i', 'sqlite_autoindex_t_1']) {
        zero(roots[name]!, pageBytes);
        const unreadable = new Database(path);
        expect(() => unreadable.exec(`REINDEX ${name}`)).toThrow(/malformed/);
        unreadable.close();
        emptyBtreeRoots(path, [{ rootPage: roots[name]!, kind: 'index' }]);
        const database = new Database(path);
        database.exec(`REINDEX ${name}`);
        expect(
          database.prepare(`SELECT count(*) FROM t INDEXED BY i WHERE text > ''`).pluck().get(),
        ).toBe(3_000);
        database.close();
      }
      const database = new Database(path);
      database.prepare('VACUUM INTO ?').run(join(directory, 'clean.db'));
      database.close();
      expect(checkDatabase(join(directory, 'clean.db'), 'full')).toMatchObject({ ok: true });
    },
  );

  it('refuses the schema and a file without a header', () => {
    make(4096);
    expect(() => emptyBtreeRoots(path, [{ rootPage: 1, kind: 'table' }])).toThrow(/root 1/);
    expect(checkDatabase(path, 'full').ok).toBe(true);
    zero(1, 4096);
    expect(() => emptyBtreeRoots(path, [{ rootPage: 2, kind: 'index' }])).toThrow(/header/);
  });
});

describe('forgetFreelist', () => {
  it('turns a broken list of free pages into pages that VACUUM leaves behind', () => {
    make(4096);
    const handle = openSync(path, 'r+');
    writeSync(handle, Buffer.from([0, 1, 0, 0]), 0, 4, 32);
    closeSync(handle);
    expect(checkDatabase(path, 'quick').messages.join()).toMatch(/Freelist: /);
    forgetFreelist(path);
    expect(checkDatabase(path, 'quick').messages.every((each) => /never used/.test(each))).toBe(
      true,
    );
    const clean = join(directory, 'clean.db');
    const database = new Database(path);
    database.prepare('VACUUM INTO ?').run(clean);
    database.close();
    expect(checkDatabase(clean, 'full').ok).toBe(true);
    expect(statSync(clean).size).toBeLessThan(statSync(path).size);
  });
});
