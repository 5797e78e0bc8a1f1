import {
  appendFileSync,
  closeSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { makeHotFamily, nameSuperJournal } from '../../src/sqlite/testing/hot-journal.ts';
import { seededRandom } from './random.ts';

/** Where a hostile file is made, and what it may not touch. */
export interface HostilePlace {
  /** `app.db` in the data directory. */
  readonly path: string;
  /** A file that is none of ours, with known bytes. */
  readonly bystander: string;
  readonly seed: number;
}

export interface HostileFile {
  readonly name: string;
  /** Some of its pages are damaged besides, so that recovery goes through all of its ways. */
  readonly isDamaged: boolean;
  make(place: HostilePlace): void;
}

const PAGE_BYTES = 4096;

/** Rows in three tables, and one that only a trigger, a view or a function of the schema would ever write to. */
function base(path: string, more = ''): Database.Database {
  const database = new Database(path);
  database.unsafeMode(true);
  database.exec(`PRAGMA page_size = ${PAGE_BYTES};
    CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT, other INT);
    CREATE TABLE escaped (what TEXT);
    CREATE INDEX rowsByBody ON rows (body);
    ${more}`);
  const add = database.prepare('INSERT INTO rows (body, other) VALUES (?, ?)');
  database.transaction(() => {
    for (let row = 0; row < 400; row += 1) add.run(`row ${row} `.repeat(12), row);
  })();
  database.exec('DELETE FROM escaped');
  return database;
}

/** Puts text into `sqlite_schema` that no CREATE would take. */
function plant(path: string, statements: string, more = ''): void {
  const database = base(path, more);
  database.pragma('writable_schema = ON');
  database.exec(statements);
  database.close();
}

const schemaRow = (type: string, name: string, table: string, root: number, sql: string): string =>
  `INSERT INTO sqlite_schema VALUES ('${type}', '${name}', '${table}', ${root}, '${sql.replaceAll("'", "''")}')`;

function patch(path: string, offset: number, bytes: Buffer | readonly number[]): void {
  const descriptor = openSync(path, 'r+');
  writeSync(descriptor, Buffer.from(bytes), 0, bytes.length, offset);
  closeSync(descriptor);
}

/** Overwrites the middle of a page of rows. */
export function damagePages(path: string): void {
  const descriptor = openSync(path, 'r+');
  const { size } = fstatSync(descriptor);
  const page = Buffer.alloc(PAGE_BYTES);
  let done = 0;
  for (let at = PAGE_BYTES; at + PAGE_BYTES <= size && done < 2; at += PAGE_BYTES) {
    readSync(descriptor, page, 0, PAGE_BYTES, at);
    if (page[0] !== 13 || !page.includes('row ')) continue;
    writeSync(descriptor, Buffer.alloc(700, 0xa5), 0, 700, at);
    done += 1;
  }
  closeSync(descriptor);
}

const ENDLESS = 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n';
const TRIGGERS = ['INSERT', 'UPDATE', 'DELETE'].flatMap((event) =>
  ['BEFORE', 'AFTER'].map(
    (when) =>
      `CREATE TRIGGER "${when}${event}" ${when} ${event} ON rows BEGIN INSERT INTO escaped VALUES ('${when} ${event}'); END;`,
  ),
);

type Maker = (place: HostilePlace) => void;
const schema =
  (sql: string): Maker =>
  ({ path }) =>
    base(path, sql).close();
const planted =
  (...statements: string[]): Maker =>
  ({ path }) =>
    plant(path, statements.join(';'));

/** What a schema can say. */
const SCHEMAS: Readonly<Record<string, Maker>> = {
  triggers: schema(TRIGGERS.join('\n')),
  'endless view': schema(`CREATE VIEW endless AS ${ENDLESS};
    CREATE TRIGGER viewed INSTEAD OF INSERT ON endless BEGIN INSERT INTO escaped VALUES ('view'); END;`),
  'endless trigger': schema(
    `CREATE TRIGGER endless AFTER INSERT ON escaped BEGIN INSERT INTO escaped SELECT * FROM (${ENDLESS}); END`,
  ),
  'generated columns': schema(
    `CREATE TABLE made (a, b AS (printf('%.*c', 300000000, 'x')), c AS (hex(zeroblob(200000000))));
     INSERT INTO made (a) VALUES (1), (2), (3);`,
  ),
  'stored generated column': planted(
    `UPDATE sqlite_schema SET sql = 'CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT, other INT AS (randomblob(1000000000)) STORED)' WHERE name = 'rows'`,
  ),
  'check constraint': planted(
    `UPDATE sqlite_schema SET sql = 'CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT, other INT, CHECK (length(printf(''%.*c'', 900000000, ''x'')) > id))' WHERE name = 'rows'`,
  ),
  'check calls load_extension': planted(
    `UPDATE sqlite_schema SET sql = 'CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT, other INT CHECK (load_extension(''/nowhere'') IS NULL))' WHERE name = 'rows'`,
  ),
  'expression index': planted(
    `UPDATE sqlite_schema SET sql = 'CREATE INDEX rowsByBody ON rows (length(hex(zeroblob(400000000))))' WHERE name = 'rowsByBody'`,
  ),
  'partial index': planted(
    `UPDATE sqlite_schema SET sql = 'CREATE INDEX rowsByBody ON rows (body) WHERE fts3_tokenizer(''x'', x''00'') > writefile(''escape'', ''x'')' WHERE name = 'rowsByBody'`,
  ),
  'default value': planted(
    `UPDATE sqlite_schema SET sql = 'CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT DEFAULT (writefile(''escape'', ''x'')), other INT DEFAULT (randomblob(1000000000)))' WHERE name = 'rows'`,
  ),
  'unknown modules': planted(
    schemaRow('table', 'u1', 'u1', 0, 'CREATE VIRTUAL TABLE u1 USING nothing(here)'),
    schemaRow('table', 'u2', 'u2', 0, "CREATE VIRTUAL TABLE u2 USING csv(filename='/etc/passwd')"),
    schemaRow('table', 'u3', 'u3', 0, 'CREATE VIRTUAL TABLE u3 USING fts3(a, tokenize=icu)'),
  ),
  'dangerous modules': planted(
    schemaRow('table', 'd1', 'd1', 0, 'CREATE VIRTUAL TABLE d1 USING sqlite_dbpage'),
    schemaRow('table', 'd2', 'd2', 0, 'CREATE VIRTUAL TABLE d2 USING dbstat'),
    schemaRow('table', 'd3', 'd3', 0, "CREATE VIRTUAL TABLE d3 USING fts5vocab('rows', 'row')"),
  ),
  'attach in a trigger': planted(
    schemaRow(
      'trigger',
      'attaching',
      'rows',
      0,
      "CREATE TRIGGER attaching AFTER INSERT ON rows BEGIN ATTACH 'escape' AS e; END",
    ),
  ),
  'roots that lie': planted(
    schemaRow('table', 'r1', 'r1', 1, 'CREATE TABLE r1 (a)'),
    schemaRow('table', 'r2', 'r2', 2147483647, 'CREATE TABLE r2 (a)'),
    schemaRow('table', 'r3', 'r3', -3, 'CREATE TABLE r3 (a)'),
    schemaRow('table', 'r4', 'r4', 2, 'CREATE TABLE r4 (a)'),
  ),
  'strange names': schema(`CREATE TABLE "../../escape" (a); CREATE TABLE "a
b" ("c""d" TEXT); CREATE TABLE "/etc/passwd" (a); CREATE TABLE "' OR 1=1 --" (a);
    INSERT INTO "../../escape" VALUES (1); INSERT INTO "a
b" VALUES ('x'); INSERT INTO "/etc/passwd" VALUES (1);`),
  'name with nul': planted(
    "UPDATE sqlite_schema SET name = 'ro' || char(0) || 'ws' WHERE name = 'rows'",
  ),
  'no schema text': planted("UPDATE sqlite_schema SET sql = zeroblob(900) WHERE type = 'index'"),
  'ten thousand objects': ({ path }) => {
    const database = base(path);
    database.transaction(() => {
      for (let at = 0; at < 5000; at += 1) database.exec(`CREATE VIEW v${at} AS SELECT ${at}`);
    })();
    database.close();
    plant2(
      path,
      Array.from({ length: 5000 }, (_, at) =>
        schemaRow('view', `w${at}`, `w${at}`, 0, `CREATE VIEW w${at} AS SELECT * FROM v${at}`),
      ),
    );
  },
  'a megabyte of SQL': schema(
    `CREATE VIEW long AS SELECT ${Array.from({ length: 1800 }, (_, at) => `'${'x'.repeat(550)}' AS c${at}`).join(', ')}`,
  ),
  'deep expressions': planted(
    schemaRow(
      'view',
      'deep',
      'deep',
      0,
      `CREATE VIEW deep AS SELECT ${'('.repeat(100_000)}1${')'.repeat(100_000)}`,
    ),
  ),
  'deep check': planted(
    `UPDATE sqlite_schema SET sql = 'CREATE TABLE rows (id INTEGER PRIMARY KEY, body, other, CHECK (' || replace(hex(zeroblob(50000)), '00', 'NOT ') || '1))' WHERE name = 'rows'`,
  ),
  'fts5 shadow blobs': shadow('CREATE VIRTUAL TABLE f USING fts5(a)', 'f', 'f_data', 'block'),
  'fts4 shadow blobs': shadow('CREATE VIRTUAL TABLE f USING fts4(a)', 'f', 'f_segdir', 'root'),
  'rtree shadow blobs': shadow(
    'CREATE VIRTUAL TABLE f USING rtree(id, a, b)',
    null,
    'f_node',
    'data',
  ),
};

function plant2(path: string, statements: readonly string[]): void {
  const database = new Database(path);
  database.unsafeMode(true);
  database.pragma('writable_schema = ON');
  database.transaction(() => {
    for (const statement of statements) database.exec(statement);
  })();
  database.close();
}

/** Random blobs in the tables behind a virtual one. */
function shadow(create: string, text: string | null, table: string, column: string): Maker {
  return ({ path, seed }) => {
    const database = base(path, create);
    for (let row = 0; row < 50; row += 1) {
      if (text !== null)
        database.prepare(`INSERT INTO ${text} VALUES (?)`).run(`word${row} and more`);
      else database.prepare('INSERT INTO f VALUES (?, ?, ?)').run(row, row, row + 1);
    }
    const random = seededRandom(seed);
    const blob = Buffer.from(Array.from({ length: 300 }, () => Math.floor(random() * 256)));
    database.prepare(`UPDATE ${table} SET ${column} = ?`).run(blob);
    database.close();
  };
}

const bytesAt =
  (...patches: readonly (readonly [number, readonly number[]])[]): Maker =>
  ({ path }) => {
    base(path).close();
    for (const [offset, bytes] of patches) patch(path, offset, bytes);
  };

const MAX = [0xff, 0xff, 0xff, 0xff];

/** What the bytes of a file and of those beside it can say. */
const FILES: Readonly<Record<string, Maker>> = {
  'page count beyond the file': bytesAt([28, MAX]),
  'page size lies': bytesAt([16, [0x02, 0x00]]),
  'largest pages': bytesAt([16, [0x00, 0x01]]),
  'all of a page reserved': bytesAt([20, [0xff]]),
  'unknown encoding': bytesAt([56, [0, 0, 0, 9]]),
  'freelist beyond the file': bytesAt([32, MAX], [36, MAX]),
  'freelist that is a ring': bytesAt([32, [0, 0, 0, 2]], [36, [0, 1, 0, 0]]),
  'schema that is its own child': ({ path }) => {
    base(path).close();
    const page = readFileSync(path).subarray(0, PAGE_BYTES);
    page[100] = 5;
    page.writeUInt16BE(0, 103);
    page.writeUInt32BE(1, 108);
    patch(path, 0, page);
  },
  'tables that are rings': ({ path }) => {
    base(path).close();
    for (let page = 2; page <= 4; page += 1) {
      const ring = Buffer.alloc(12);
      ring[0] = 5;
      ring.writeUInt16BE(PAGE_BYTES - 1, 5);
      ring.writeUInt32BE(page === 4 ? 2 : page + 1, 8);
      patch(path, (page - 1) * PAGE_BYTES, ring);
    }
  },
  'cells beyond their page': bytesAt([103, [0xff, 0xff]], [PAGE_BYTES + 3, [0xff, 0xff]]),
  'overflow that is a ring': ({ path }) => {
    const database = base(path);
    database.prepare('INSERT INTO rows (body) VALUES (?)').run('o'.repeat(60_000));
    database.close();
    const bytes = readFileSync(path);
    for (let at = PAGE_BYTES; at < bytes.length; at += PAGE_BYTES) {
      if (!bytes.subarray(at + 4, at + 104).equals(Buffer.alloc(100, 'o'))) continue;
      const self = Buffer.alloc(4);
      self.writeUInt32BE(at / PAGE_BYTES + 1);
      patch(path, at, self);
    }
  },
  'a journal that names a bystander': ({ path, bystander }) => {
    makeHotFamily(path);
    nameSuperJournal(`${path}-journal`, bystander);
  },
  'a journal that names a bystander, in WAL mode': ({ path, bystander }) => {
    makeHotFamily(path, 'wal');
    nameSuperJournal(`${path}-journal`, bystander);
  },
  'a journal of garbage': ({ path, seed }) => {
    base(path).close();
    const random = seededRandom(seed);
    const journal = Buffer.from(Array.from({ length: 9_000 }, () => Math.floor(random() * 256)));
    Buffer.from('d9d505f920a163d7ffffffff00000000ffffffff0000000100010000', 'hex').copy(journal);
    writeFileSync(`${path}-journal`, journal);
  },
  'a WAL of garbage': ({ path, seed }) => {
    const database = base(path);
    database.pragma('journal_mode = WAL');
    database.close();
    const random = seededRandom(seed);
    const wal = Buffer.from(Array.from({ length: 20_000 }, () => Math.floor(random() * 256)));
    Buffer.from('377f0682002de218ffffffffffffffff', 'hex').copy(wal);
    writeFileSync(`${path}-wal`, wal);
  },
  'a linked WAL': ({ path, bystander }) => {
    const database = base(path);
    database.pragma('journal_mode = WAL');
    database.close();
    symlinkSync(bystander, `${path}-wal`);
  },
  'a linked journal': ({ path, bystander }) => {
    base(path).close();
    symlinkSync(bystander, `${path}-journal`);
  },
  'nothing but a header': ({ path }) => {
    base(path).close();
    writeFileSync(path, readFileSync(path).subarray(0, 100));
  },
  'a tail of garbage': ({ path }) => {
    base(path).close();
    appendFileSync(path, Buffer.alloc(70_001, 0x5a));
  },
};

/** Noise anywhere, most of it where it is read first. */
const noise = (number: number): HostileFile => ({
  name: `noise ${number}`,
  isDamaged: false,
  make: ({ path, seed }) => {
    base(path, TRIGGERS.join('\n')).close();
    const random = seededRandom(seed * 1000 + number);
    const { length } = readFileSync(path);
    for (let at = 0; at < 12; at += 1) {
      const within = random() < 0.5 ? PAGE_BYTES : length;
      patch(path, 16 + Math.floor(random() * (within - 17)), [Math.floor(random() * 256)]);
    }
  },
});

export function hostileFiles(noisy: number): HostileFile[] {
  const plain = Object.entries({ ...SCHEMAS, ...FILES }).map(([name, make]) => ({
    name,
    isDamaged: false,
    make,
  }));
  const damaged = Object.entries(SCHEMAS).map(([name, make]) => ({
    name: `${name}, and damaged pages`,
    isDamaged: true,
    make: (place: HostilePlace) => {
      make(place);
      damagePages(place.path);
    },
  }));
  return [...plain, ...damaged, ...Array.from({ length: noisy }, (_, at) => noise(at))];
}

export const bystanderOf = (directory: string): string => join(directory, 'bystander');
