import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkDatabase } from './database-check.ts';
import { type Finding, isConstraintOnly, parseFinding } from './integrity-messages.ts';
import { freshDirectory } from './testing/directories.ts';

const PAGE_BYTES = 4096;
let directory: string;
let path: string;

beforeEach(() => {
  directory = freshDirectory();
  path = join(directory, 'app.db');
  const database = new Database(path);
  database.exec(`
    CREATE TABLE notes(id INTEGER PRIMARY KEY, title TEXT, size INTEGER CHECK (size >= 0));
    CREATE INDEX notes_title ON notes(title);
    CREATE TABLE pairs(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE doomed(text);
    CREATE VIRTUAL TABLE search USING fts5(body);
    CREATE VIRTUAL TABLE old_search USING fts4(body);
  `);
  const note = database.prepare('INSERT INTO notes VALUES(?, ?, ?)');
  const rest = ['pairs VALUES(@text, 1)', 'doomed VALUES(@long)', 'search VALUES(@text)'];
  const others = [...rest, 'old_search VALUES(@text)'].map((each) =>
    database.prepare(`INSERT INTO ${each}`),
  );
  database.transaction(() => {
    for (let id = 1; id <= 500; id += 1) {
      note.run(id, `title ${(id * 7) % 500}`, id);
      for (const each of others) each.run({ text: `word${id}`, long: 'x'.repeat(100) });
    }
  })();
  database.exec('DROP TABLE doomed');
  database.close();
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function change(sql: string): void {
  const database = new Database(path);
  database.unsafeMode();
  database.pragma('ignore_check_constraints = ON');
  database.exec(sql);
  database.close();
}

function overwrite(page: number, bytes: Buffer): void {
  const handle = openSync(path, 'r+');
  writeSync(handle, bytes, 0, bytes.length, (page - 1) * PAGE_BYTES);
  closeSync(handle);
}

function rootOf(name: string): number {
  const database = new Database(path);
  const root = database
    .prepare<[string], number>('SELECT rootpage FROM sqlite_schema WHERE name = ?')
    .pluck()
    .get(name);
  database.close();
  return root!;
}

const findings = (): Finding[] => checkDatabase(path, 'full').messages.map(parseFinding);

describe('findings of the SQLite that is bundled', () => {
  it.each(['notes', 'notes_title', 'pairs', 'search_data', 'sqlite_autoindex_old_search_segdir_1'])(
    'names the tree of %s when its root page is zeroed',
    (name) => {
      const rootPage = rootOf(name);
      overwrite(rootPage, Buffer.alloc(PAGE_BYTES));
      expect(findings()).toContainEqual({ about: 'tree', rootPage, page: rootPage });
    },
  );

  it('names the freelist, and the pages that then belong to nobody', () => {
    const database = new Database(path);
    const free = database.pragma('freelist_count', { simple: true });
    database.close();
    expect(free).toBeGreaterThan(0);
    const header = Buffer.alloc(4);
    header.writeUInt32BE(99_999);
    const handle = openSync(path, 'r+');
    writeSync(handle, header, 0, 4, 32);
    closeSync(handle);
    const abouts = new Set(findings().map(({ about }) => about));
    expect(abouts).toEqual(new Set(['freelist', 'space']));
  });

  it('names an index that lacks a row', () => {
    change(`PRAGMA writable_schema = ON;
      UPDATE sqlite_schema SET sql = sql || ' WHERE id <> 7' WHERE name = 'notes_title'`);
    change('UPDATE notes SET title = title WHERE id = 7; DELETE FROM notes WHERE id = 7');
    change(`PRAGMA writable_schema = ON;
      UPDATE sqlite_schema SET sql = replace(sql, ' WHERE id <> 7', '') WHERE name = 'notes_title'`);
    expect(findings()).toContainEqual({ about: 'index', index: 'notes_title' });
  });

  it('names full-text tables of both generations', () => {
    change(
      `UPDATE search_data SET block = x'00000000' WHERE id = (SELECT max(id) FROM search_data)`,
    );
    expect(findings()).toContainEqual({ about: 'full-text', table: 'search' });
    change(`INSERT INTO search(search) VALUES('rebuild'); DELETE FROM old_search_segdir`);
    expect(findings()).toEqual([{ about: 'full-text', table: 'old_search' }]);
  });

  it('tells rows that break a constraint from damage', () => {
    change('UPDATE notes SET size = -1 WHERE id = 5');
    const { messages } = checkDatabase(path, 'full');
    expect(messages.map(parseFinding)).toEqual([{ about: 'constraint', table: 'notes' }]);
    expect(isConstraintOnly(messages)).toBe(true);
    expect(isConstraintOnly([...messages, 'Page 9: never used'])).toBe(false);
    expect(isConstraintOnly([])).toBe(false);
  });

  it('distrusts the whole file for any text it does not know', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const known =
          /^(Tree \d|Freelist: |Page \d|row |wrong |non-|rowid |max |incr|Bad |Fail|CHECK |NULL |NUM|TEXT |malf|unable |fts5: )/;
        fc.pre(!known.test(text));
        expect(parseFinding(text)).toEqual({ about: 'file' });
      }),
    );
    expect(parseFinding('database disk image is malformed')).toEqual({ about: 'file' });
  });
});

describe('every form of a finding', () => {
  const tree = (rootPage: number, page: number | null): Finding => ({
    about: 'tree',
    rootPage,
    page,
  });
  const space: Finding = { about: 'space' };
  const FORMS: readonly (readonly [string, Finding])[] = [
    ...[
      'btreeInitPage() returns error code 11',
      'unable to get the page. error code=522',
      'free space corruption',
      'Rowid 0 out of order',
      'Multiple uses for byte 3650 of page 9',
      'Fragmentation of 65 bytes reported as 0 on page 9',
    ].map((body) => [`Tree 4 page 9: ${body}`, tree(4, 9)] as const),
    ...[
      'Rowid 12 out of order',
      'Offset 70000 out of range 20..4096',
      'Extends off end of page',
      '2nd reference to page 31',
      'invalid page number 96',
      'failed to get page 12',
      'overflow list length is 1 but should be 3',
      'Child page depth differs',
    ].map((body) => [`Tree 4 page 9 cell 2: ${body}`, tree(4, 9)] as const),
    ['Tree 4 page 9 right child: Child page depth differs', tree(4, 9)],
    ['Tree 1 page 1 cell 0: invalid page number 77', tree(1, 1)],
    ['Tree 12: 2nd reference to page 3', tree(12, null)],
    ['Freelist: size is 3 but should be 4', { about: 'freelist' }],
    ['Freelist: 2nd reference to page 6', { about: 'freelist' }],
    ['Freelist: freelist leaf count too big on page 7', { about: 'freelist' }],
    ['Freelist: invalid page number 99999', { about: 'freelist' }],
    ['Freelist: failed to get page 8', { about: 'freelist' }],
    ['Page 17: never used', space],
    ['Page 2: pointer map referenced', space],
    ['Bad ptr map entry key=9 expected=(5,4) got=(1,0)', space],
    ['Failed to read ptrmap key=9', space],
    ['max rootpage (9) disagrees with header (4)', space],
    ['incremental_vacuum enabled with a max rootpage of zero', space],
    ['row 7 missing from index by title', { about: 'index', index: 'by title' }],
    ['row 7 values differ from index i', { about: 'index', index: 'i' }],
    ['wrong # of entries in index i', { about: 'index', index: 'i' }],
    ['non-unique entry in index i', { about: 'index', index: 'i' }],
    ['rowid not at end-of-record for row 7 of index i', { about: 'index', index: 'i' }],
    ['row not in PRIMARY KEY order for pairs', { about: 'table', table: 'pairs' }],
    ['NULL value in notes.title', { about: 'constraint', table: 'notes' }],
    ['NUMERIC value in notes.title', { about: 'constraint', table: 'notes' }],
    ['TEXT value in notes.size', { about: 'constraint', table: 'notes' }],
    ['non-INT value in exact.i', { about: 'constraint', table: 'exact' }],
    ['CHECK constraint failed in notes', { about: 'constraint', table: 'notes' }],
    [
      'malformed inverted index for FTS5 table main.search',
      { about: 'full-text', table: 'search' },
    ],
    [
      'unable to validate the inverted index for FTS5 table main.search: database disk image is malformed',
      { about: 'full-text', table: 'search' },
    ],
    [
      'fts5: corruption found reading blob 10 from table "search"',
      { about: 'full-text', table: 'search' },
    ],
    ['database disk image is malformed', { about: 'file' }],
    ['malformed database schema (t) - invalid rootpage', { about: 'file' }],
    ['file is not a database', { about: 'file' }],
  ];

  it.each(FORMS)('%s', (message, finding) => {
    expect(parseFinding(message)).toEqual(finding);
  });

  it('is a finding of its own where one row of the check holds many, under a heading', () => {
    for (const name of ['notes', 'pairs']) overwrite(rootOf(name), Buffer.alloc(PAGE_BYTES));
    const { messages } = checkDatabase(path, 'full');
    expect(messages.length).toBeGreaterThan(2);
    for (const message of messages) expect(message).not.toMatch(/\n|^\*\*\*/);
    const trees = findings().flatMap((each) => (each.about === 'tree' ? [each.rootPage] : []));
    expect(trees).toEqual(expect.arrayContaining([rootOf('notes'), rootOf('pairs')]));
  });
});
