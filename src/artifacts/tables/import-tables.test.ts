import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { quietActivity } from '../../kernel/activity.ts';
import { importTables } from './import-tables.ts';
import { exported, imported, memory, storedRows, withDirectory } from './testing/table-files.ts';

const ITEMS = `CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT NOT NULL, size INT DEFAULT 9);
  INSERT INTO items VALUES(1, 'one', 10), (2, 'two', 20), (3, 'three', 30);`;
const rowsOf = (database: Database.Database, table = 'items'): unknown[] =>
  database.prepare(`SELECT * FROM ${table}`).raw().all();
const changed = (): Database.Database =>
  memory(`${ITEMS} UPDATE items SET name = 'TWO' WHERE id = 2; DELETE FROM items WHERE id = 3;
    INSERT INTO items VALUES(4, 'four', 40);`);

describe('importTables() by mode: changed, deleted and added rows', () => {
  const text = exported(memory(ITEMS)).then((done) => done.text);

  it('T-D14, T-33: insert-ignore brings deleted rows back, and leaves changed and added ones', async () => {
    const database = changed();
    expect(await imported(database, await text, { mode: 'insert-ignore' })).toEqual([
      { table: 'items', read: 3, inserted: 1, updated: 0, ignored: 2, unknownColumns: [] },
    ]);
    expect(rowsOf(database)).toEqual([
      [1, 'one', 10],
      [2, 'TWO', 20],
      [3, 'three', 30],
      [4, 'four', 40],
    ]);
  });

  it('T-D14: upsert restores changed and deleted rows, and leaves added ones', async () => {
    const database = changed();
    expect(await imported(database, await text, { mode: 'upsert' })).toMatchObject([
      { read: 3, inserted: 1, updated: 2, ignored: 0 },
    ]);
    expect(rowsOf(database)).toEqual([
      [1, 'one', 10],
      [2, 'two', 20],
      [3, 'three', 30],
      [4, 'four', 40],
    ]);
  });

  it('T-D14: replace makes the table what it was', async () => {
    const database = changed();
    expect(await imported(database, await text, { mode: 'replace' })).toMatchObject([
      { read: 3, inserted: 3, updated: 0, ignored: 0 },
    ]);
    expect(rowsOf(database)).toEqual(rowsOf(memory(ITEMS)));
  });

  it('T-D14: a table without a key is updated by its row ids, and refused without them', async () => {
    const database = memory("CREATE TABLE t(a); INSERT INTO t VALUES('x'), ('y')");
    const { text } = await exported(database);
    database.exec("UPDATE t SET a = 'z' WHERE rowid = 2; DELETE FROM t WHERE rowid = 1");
    await imported(database, text, { mode: 'upsert' });
    expect(storedRows(database, 't')).toEqual(['1|text|78', '2|text|79']);
    const bare = imported(database, '{"a":"q"}', { mode: 'upsert', table: 't' });
    await expect(bare).rejects.toMatchObject({ message: expect.stringContaining('$rowid') });
  });

  it('T-D14: a row whose key is new is inserted although its row id is taken', async () => {
    const sql = 'CREATE TABLE t(k TEXT PRIMARY KEY, v)';
    const { text } = await exported(memory(`${sql}; INSERT INTO t VALUES('a', 1), ('b', 2)`));
    for (const mode of ['insert-ignore', 'upsert'] as const) {
      const database = memory(`${sql}; INSERT INTO t VALUES('c', 3), ('a', 0)`);
      await imported(database, text, { mode });
      const values = database.prepare('SELECT k, v FROM t ORDER BY k').raw().all();
      expect(values).toEqual([
        ['a', mode === 'upsert' ? 1 : 0],
        ['b', 2],
        ['c', 3],
      ]);
    }
  });

  it('T-33: only what is the same key is ignored: what a column does not take is an error', async () => {
    const database =
      memory(`CREATE TABLE t(k TEXT PRIMARY KEY ON CONFLICT REPLACE, v INT NOT NULL ON CONFLICT IGNORE
      CHECK(v > 0)); INSERT INTO t VALUES('a', 1)`);
    const options = { mode: 'insert-ignore', table: 't' } as const;
    await imported(database, '{"k":"a","v":5}', options);
    expect(rowsOf(database, 't')).toEqual([['a', 1]]);
    for (const row of ['{"k":"b"}', '{"k":"b","v":null}', '{"k":"b","v":-1}']) {
      await expect(imported(database, `{"k":"c","v":1}\n${row}`, options)).rejects.toMatchObject({
        code: 'VERIFY_FAILED',
        message: expect.stringMatching(/^Cannot import "line 2": .*constraint failed/),
      });
    }
    expect(rowsOf(database, 't')).toEqual([['a', 1]]);
  });

  it('T-33: an AUTOINCREMENT table never gives a row id twice after an import', async () => {
    const sql = 'CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v)';
    const source = memory(`${sql}; INSERT INTO t VALUES(50, 1); DELETE FROM t`);
    const target = memory(sql);
    await imported(target, (await exported(source)).text);
    expect(target.prepare('INSERT INTO t(v) VALUES(1)').run().lastInsertRowid).toBe(51);
  });
});

describe('importTables() of files that are not right', () => {
  const header = '{"$table":"items","$columns":[{"name":"id"},{"name":"name"}],"$version":1}';
  const end = (rows: number): string => `{"$rows":${rows}}`;

  it.each([
    ['[3,"x"', 'it ends too early'],
    ['[3,"x"] [', 'it is no JSON'],
    ['[3,"x]', 'it ends inside of a text'],
    ['[3]', 'it has 1 values, and its header 2 columns'],
    ['[3,"x",1]', 'it has 3 values, and its header 2 columns'],
    ['[3,"x"]]', 'it is no JSON'],
    ['"x"', 'it is neither an array nor an object'],
    ['[3,[1]]', 'a value is an array'],
    ['[3,{"a":1}]', 'an object that is no marked value'],
    ['[3,{"$i":"1","$r":"1"}]', 'it is no JSON'],
    ['[3,{"$q":"1"}]', 'an object that is no marked value'],
    ['[{"$i":"9223372036854775808"},"x"]', 'does not fit into 64 bits'],
    ['[123456789012345678901234567890,"x"]', 'does not fit into 64 bits'],
    ['[01,"x"]', 'it is no JSON'],
    ['[1,1e400]', 'larger than any'],
    ['[1,{"$r":"NaN"}]', 'is no number'],
    ['[1,{"$b":"a*=="}]', 'base64'],
    ['[1,{"$b":"abc"}]', 'base64'],
    ['[1,"\\ud800"]', 'half of a surrogate pair'],
    ['[1,"\\x"]', 'not escaped'],
    ['[1,"\t"]', 'not escaped'],
    ['[1,Infinity]', 'it is no JSON'],
    ['{"id":3,"name":"a","id":4}', 'it names "id" twice'],
    ['{"id":3,"name":"a","ID":4}', 'two values are of the column "id"'],
    ['["x","y"]', 'mismatch'],
    ['[1,"again"]', 'UNIQUE constraint failed'],
    ['[9,null]', 'NOT NULL constraint failed'],
    [`${'['.repeat(100_000)}`, 'a value is an array'],
    [`[${'1,'.repeat(100_000)}1]`, 'too many values'],
    [Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d]), 'it is not UTF-8'],
  ])('F17, T-33: a bad line is named, and nothing is imported: %s', async (line, state) => {
    const database = memory(ITEMS);
    const text = Buffer.concat([
      Buffer.from(`${header}\n[1,"new"]\n\n`),
      Buffer.from(line),
      Buffer.from(`\n${end(2)}\n`),
    ]);
    await expect(imported(database, text)).rejects.toMatchObject({
      message: expect.stringMatching(
        new RegExp(`^Cannot import "line 4": .*${state.replace(/[$.]/g, '\\$&')}`),
      ),
      details: { line: 4 },
    });
    expect(rowsOf(database)).toEqual(rowsOf(memory(ITEMS)));
    expect(database.inTransaction).toBe(false);
    expect(database.pragma('foreign_keys', { simple: true })).toBe(1);
  });

  it.each([
    ['"$sequence":"9999999999999999999"', '$sequence'],
    ['"$encoding":"latin1"', '$encoding'],
    ['"$sql":5', '$sql'],
    ['"$indexes":[1]', '$indexes'],
    ['"$userVersion":1e99', '$userVersion'],
    ['"$version":2', 'version other than 1'],
    ['"$columns":[{"name":"id"},{"name":"id"}]', 'names a column twice'],
    ['"$columns":[{"name":5}]', 'a column without a name'],
    ['"$columns":[null]', 'a column that is no object'],
  ])('F17, T-33: a header is not believed: %s', async (member, state) => {
    const text = `${header.slice(0, -1)},${member}}\n${end(0)}`;
    await expect(imported(memory(ITEMS), text)).rejects.toThrow(state);
  });

  it('F17: the bytes of the file are what they were when a line is bad', () =>
    withDirectory(async (directory) => {
      const path = join(directory, 'app.db');
      const database = new Database(path);
      database.exec(ITEMS);
      const before = readFileSync(path);
      const rows = Array.from({ length: 5_000 }, (_each, id) => `[${id},"${'x'.repeat(200)}"]`);
      await expect(imported(database, [header, ...rows, 'oops'].join('\n'))).rejects.toThrow(
        'line 5002',
      );
      expect(readFileSync(path).equals(before)).toBe(true);
      database.close();
    }));

  it('F17: what a footer does not confirm is not imported', async () => {
    const { text } = await exported(memory(ITEMS));
    const lines = text.trimEnd().split('\n');
    const cases: [string, string][] = [
      [lines.slice(0, -1).join('\n'), 'the file ends before its footer'],
      [[...lines.slice(0, 2), ...lines.slice(3)].join('\n'), 'promises 3 rows'],
      [text.replace('"two"', '"2wo"'), 'checksum'],
      [text.replace('DEFAULT 9', 'DEFAULT 8'), 'checksum'],
      [`${lines[0]}\n${text}`, 'another begins before its footer'],
      [text.replace(/"\$rows":3/, '"$rows":4'), 'promises 4 rows'],
    ];
    for (const [bad, state] of cases) {
      const database = memory(ITEMS);
      await expect(imported(database, bad)).rejects.toMatchObject({
        code: 'VERIFY_FAILED',
        message: expect.stringContaining(state),
      });
      expect(rowsOf(database)).toEqual(rowsOf(memory(ITEMS)));
    }
  });

  it('T-33: a line beyond the limit is refused by its number before it is held', async () => {
    const database = memory(ITEMS);
    const long = `{"id":5,"name":"${'x'.repeat(1_000)}"}`;
    const text = `{"id":4,"name":"ok"}\n${long}`;
    const options = { mode: 'insert-ignore', table: 'items' } as const;
    const refused = imported(database, text, { ...options, lineBytesMax: 900 });
    await expect(refused).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: 'Cannot import "line 2": it is longer than 900 bytes',
    });
    const endless = (async function* () {
      for (;;) yield Buffer.alloc(1_000_000, 'x');
    })();
    const activity = quietActivity();
    const refusedToo = importTables(endless, database, { ...options, activity });
    await expect(refusedToo).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(rowsOf(database)).toHaveLength(3);
    await imported(database, text, options);
    expect(rowsOf(database)).toHaveLength(5);
  });

  it('T-33: tables and columns that are not there', async () => {
    const { text } = await exported(
      memory('CREATE TABLE items(id INTEGER PRIMARY KEY, gone); INSERT INTO items VALUES(8, 1)'),
    );
    const strict = imported(memory(ITEMS), text, { strict: true });
    await expect(strict).rejects.toThrow('the table "items" has no column "gone"');
    const bare = memory('CREATE TABLE items(id INTEGER PRIMARY KEY, g AS (id + 1))');
    const row = '{"id":8,"__proto__":1,"constructor":2,"g":9,"$rowid":7}';
    expect(await imported(bare, row, { mode: 'upsert', table: 'ITEMS' })).toMatchObject([
      { inserted: 1, unknownColumns: ['__proto__', 'constructor'] },
    ]);
    expect(rowsOf(bare)).toEqual([[8, 9]]);
    const none = memory('CREATE VIEW items AS SELECT 1 AS id; CREATE TABLE other(x)');
    await expect(imported(none, text)).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
    await expect(imported(memory(), text)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(imported(none, text, { table: 'other' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await expect(imported(none, '{"x":1}')).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
    await expect(imported(none, '', { table: 'other' })).rejects.toThrow('the file is empty');
  });
});

describe('importTables() of files from elsewhere', () => {
  it('F17, T-33, T-D13: bare objects without a header, with a byte order mark, CRLF, blank lines and empty objects', async () => {
    const database = memory(ITEMS);
    const text =
      '\uFEFF{"id":4,"name":"four","size":9007199254740993}\r\n\r\n{}\r\n  \n{"name":"five","id":5}\r\n{ "id" : 6 , "name" : "1.0" , "size" : null }';
    expect(await imported(database, text, { mode: 'insert-ignore', table: 'items' })).toMatchObject(
      [{ read: 3, inserted: 3 }],
    );
    const rows = database.prepare('SELECT * FROM items WHERE id > 3').raw().safeIntegers().all();
    expect(rows).toEqual([
      [4n, 'four', 9007199254740993n],
      [5n, 'five', 9n],
      [6n, '1.0', null],
    ]);
  });

  it('T-D13: a number is an INTEGER as it is written, and a REAL with fraction or exponent', async () => {
    const database = memory('CREATE TABLE t(a)');
    const numbers = ['1', '1.0', '1e3', '-0', '-0.0', '9223372036854775807', 'true', 'false'];
    const text = numbers.map((number) => `{"a":${number}}`).join('\n');
    await imported(database, text, { table: 't' });
    const types = database.prepare('SELECT typeof(a) FROM t').pluck().all();
    expect(types.map((type) => String(type)[0]).join('')).toBe('irririii');
    expect(database.prepare('SELECT a FROM t WHERE rowid = 6').pluck().safeIntegers().get()).toBe(
      9223372036854775807n,
    );
  });

  it('F17: a file that went through a system with CRLF is still what its footer says', async () => {
    const { text } = await exported(memory(ITEMS));
    const database = memory(ITEMS);
    await imported(database, `\uFEFF${text.replaceAll('\n', '\r\n')}`);
    expect(rowsOf(database)).toHaveLength(3);
  });

  it('F17: one table of a file with many is imported where it is named', async () => {
    const sql = 'CREATE TABLE a(x); CREATE TABLE b(x)';
    const { text } = await exported(
      memory(`${sql}; INSERT INTO a VALUES(1); INSERT INTO b VALUES(2)`),
    );
    const database = memory(sql);
    expect(await imported(database, text, { table: 'B' })).toMatchObject([{ table: 'b' }]);
    expect([rowsOf(database, 'a'), rowsOf(database, 'b')]).toEqual([[], [[2]]]);
  });
});

describe('importTables() and the rest of the database', () => {
  const FAMILY = `CREATE TABLE parent(id INTEGER PRIMARY KEY, v);
    CREATE TABLE child(id INTEGER PRIMARY KEY, p REFERENCES parent(id) ON DELETE CASCADE);
    INSERT INTO parent VALUES(1, 'a'), (2, 'b'); INSERT INTO child VALUES(10, 1), (11, 2);`;

  it('F17: replace leaves the rows that refer to a table, and whatever would refer to nothing is refused', async () => {
    const { text } = await exported(memory(FAMILY), { tables: ['parent'] });
    const database = memory(
      `${FAMILY} UPDATE parent SET v = 'changed'; INSERT INTO parent VALUES(3, 'c')`,
    );
    await imported(database, text);
    expect(rowsOf(database, 'parent')).toEqual([
      [1, 'a'],
      [2, 'b'],
    ]);
    expect(rowsOf(database, 'child')).toHaveLength(2);
    const later = memory(
      `${FAMILY} INSERT INTO parent VALUES(3, 'c'); INSERT INTO child VALUES(12, 3)`,
    );
    await expect(imported(later, text)).rejects.toMatchObject({
      code: 'VERIFY_FAILED',
      message: expect.stringContaining('"child"'),
    });
    expect(rowsOf(later, 'parent')).toHaveLength(3);
  });

  it('F17: rows that referred to nothing before are not held against an import; all tables of a file count together', async () => {
    const broken = `PRAGMA foreign_keys = OFF; ${FAMILY} INSERT INTO child VALUES(13, 99); PRAGMA foreign_keys = ON;
      CREATE TABLE nonsense(a REFERENCES parent(v));`;
    const { text } = await exported(memory(FAMILY), { tables: ['child', 'parent'] });
    const database = memory(broken);
    database.exec(
      'PRAGMA foreign_keys = OFF; DELETE FROM child WHERE id = 10; DELETE FROM parent WHERE id = 1',
    );
    await imported(database, text, { mode: 'upsert' });
    expect(rowsOf(database, 'child')).toHaveLength(3);
    expect(database.pragma('foreign_key_check(child)')).toHaveLength(1);
  });

  const NOTED = `CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE log(what);
    CREATE TRIGGER "t noted" AFTER INSERT ON t BEGIN INSERT INTO log VALUES('in ' || new.id); END;
    CREATE TRIGGER t_gone AFTER DELETE ON T BEGIN INSERT INTO log VALUES('out ' || old.id); END;
    INSERT INTO t VALUES(1, 'a');`;

  it('F17: triggers do not run unless they are asked for, and are the same afterwards', async () => {
    const { text } = await exported(memory(NOTED), { tables: ['t'] });
    const schema = "SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'trigger'";
    const database = memory(NOTED);
    const before = database.prepare(schema).all();
    await imported(database, text);
    expect(rowsOf(database, 'log')).toEqual([['in 1']]);
    expect(database.prepare(schema).all()).toEqual(before);
    await imported(database, text, { triggers: true });
    expect(rowsOf(database, 'log')).toEqual([['in 1'], ['out 1'], ['in 1']]);
    await expect(imported(database, text.replace('"a"', '"b"'))).rejects.toThrow();
    expect(database.prepare(schema).all()).toEqual(before);
  });

  it('F17: a full-text index of an imported table is built anew, for its triggers did not run', async () => {
    const sql = `CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT);
      CREATE VIRTUAL TABLE docs_fts USING fts5(body, content='docs', content_rowid='id');
      CREATE TRIGGER di AFTER INSERT ON docs BEGIN INSERT INTO docs_fts(rowid, body) VALUES(new.id, new.body); END;
      INSERT INTO docs VALUES(1, 'hello world');`;
    const { text } = await exported(memory(sql));
    const database = memory(
      `${sql} DELETE FROM docs; INSERT INTO docs VALUES(5, 'something else')`,
    );
    await imported(database, text);
    const found = database.prepare('SELECT rowid FROM docs_fts WHERE docs_fts MATCH ?').pluck();
    expect([found.all('hello'), found.all('something')]).toEqual([[1], []]);
    database.exec("INSERT INTO docs_fts(docs_fts, rank) VALUES('integrity-check', 1)");
  });

  it('F17: cancelled in the middle, nothing has changed, and the database is free', async () => {
    const { text } = await exported(memory(ITEMS));
    const database = changed();
    const before = rowsOf(database);
    const abort = new AbortController();
    const input = (async function* () {
      yield Buffer.from(text.slice(0, -20));
      abort.abort();
      yield Buffer.from(text.slice(-20));
    })();
    const activity = quietActivity(abort.signal);
    const cancelled = importTables(input, database, { mode: 'replace', activity });
    await expect(cancelled).rejects.toMatchObject({ name: 'AbortError' });
    expect([rowsOf(database), database.inTransaction]).toEqual([before, false]);
  });

  it('F17: progress counts the bytes of the file', async () => {
    const { text } = await exported(memory(ITEMS));
    let bytes = 0;
    const activity = {
      ...quietActivity(),
      progress: ({ bytesDone = 0 }: { bytesDone?: number }) => {
        bytes = bytesDone;
      },
    };
    await imported(memory(ITEMS), text, { activity });
    expect(bytes).toBe(Buffer.byteLength(text));
  });
});

describe('importTables() across encodings', () => {
  it('T-D12: bytes that are no text are not taken for text of another encoding', async () => {
    const sql = 'CREATE TABLE t(a)';
    const source = memory(`${sql}; INSERT INTO t VALUES(CAST(x'00d8' AS TEXT))`, 'UTF-16le');
    const { text } = await exported(source);
    expect(text).toContain('{"$t":"ANg="}');
    await expect(imported(memory(sql), text)).rejects.toThrow(
      'bytes of UTF-16le text cannot be kept as UTF-8',
    );
    const sound = await exported(memory(`${sql}; INSERT INTO t VALUES('é😀')`, 'UTF-16be'));
    const target = memory(sql);
    await imported(target, sound.text);
    expect(target.prepare('SELECT a FROM t').pluck().all()).toEqual(['é😀']);
  });
});
