import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { HoldfastError } from '../kernel/errors.ts';
import { checkConnection } from './database-check.ts';
import { type PinnedDatabase, type PinnedSet, pinDatabases } from './pinned-read.ts';
import { freshDirectory, portrait, removeDirectory } from './testing/directories.ts';
import { BANK_TOTAL, SqliteChild, startBankWriter } from './testing/processes.ts';

let directory: string;
let data: string;
let scratch: string;
let children: { kill(): Promise<void> }[];

beforeEach(() => {
  directory = freshDirectory();
  data = join(directory, 'data');
  scratch = join(directory, 'scratch');
  mkdirSync(data);
  mkdirSync(scratch);
  children = [];
});

afterEach(async () => {
  for (const child of children) await child.kill();
  removeDirectory(directory);
});

function child(): SqliteChild {
  const started = SqliteChild.start();
  children.push(started);
  return started;
}

function pin(paths: string[], timeoutMs = 10_000): Promise<PinnedSet> {
  const { signal } = new AbortController();
  return pinDatabases(paths, {
    scratchDirectory: scratch,
    timeoutMs,
    clock: systemClock,
    signal,
  });
}

async function imageOf(pinned: PinnedDatabase): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const { image } = pinned;
  for (let at = 0; at < image.bytes; at += 200_000) {
    pieces.push(await image.read(at, Math.min(200_000, image.bytes - at)));
  }
  return Buffer.concat(pieces);
}

/** Opens an image as a database of its own. */
async function openImage(pinned: PinnedDatabase): Promise<Database.Database> {
  const path = join(directory, `image-${Math.random()}.db`);
  writeFileSync(path, await imageOf(pinned));
  return new Database(path);
}

function expectSound(database: Database.Database): void {
  expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
}

const listing = (): string[] => readdirSync(data).sort();

describe('pinDatabases() holds one exact moment', () => {
  it.each(['wal', 'delete'] as const)(
    'Z-D1: under two writers that never pause, in %s mode',
    async (mode) => {
      const paths = [join(data, 'a.db'), join(data, 'b.db')];
      const writers = [
        await startBankWriter(paths[0]!, mode, 11),
        await startBankWriter(paths[0]!, mode, 12),
        await startBankWriter(paths[1]!, mode, 13),
      ];
      let commits = 0;
      try {
        for (let round = 0; round < (mode === 'wal' ? 10 : 6); round++) {
          const set = await pin(paths);
          try {
            expect(set.atOneMoment).toBe(true);
            for (const pinned of set.databases) {
              const check = pinned.withConnection((database) => checkConnection(database, 'quick'));
              expect(check?.messages).toEqual([]);
              const image = await openImage(pinned);
              expectSound(image);
              const sum = image.prepare('SELECT sum(balance) FROM accounts').pluck().get();
              expect(sum).toBe(BANK_TOTAL);
              const noted = image.prepare('SELECT max(id) FROM transfers').pluck().get();
              const seen = pinned.withConnection((database) =>
                database.prepare('SELECT max(id) FROM transfers').pluck().get(),
              );
              expect(noted).toBe(seen);
              image.close();
              expect(pinned.image.fault).toBeNull();
            }
          } finally {
            await set.close();
          }
        }
      } finally {
        for (const writer of writers) commits += await writer.stop();
      }
      expect(commits).toBeGreaterThan(50);
    },
  );

  it('T-D15: two databases are as of the same moment: a write to one after the other never shows', async () => {
    const paths = [join(data, 'first.db'), join(data, 'second.db')];
    const writer = child();
    await writer.open(paths[0]!);
    await writer.exec(
      `PRAGMA journal_mode=wal; CREATE TABLE n (n); INSERT INTO n VALUES (0);
       ATTACH '${paths[1]}' AS other; PRAGMA other.journal_mode=wal;
       CREATE TABLE other.n (n); INSERT INTO other.n VALUES (0);`,
    );
    // The first is always written first, so at any moment it is equal to the second or one ahead.
    await writer.attempt({
      repeat: ['UPDATE main.n SET n = n + 1', 'UPDATE other.n SET n = n + 1'],
    });
    // Many databases between the two: enough time for writes between their pins.
    const others = Array.from({ length: 40 }, (_, index) => join(data, `other-${index}.db`));
    for (const path of others) new Database(path).exec('CREATE TABLE t (x)').close();
    const distances = new Set<number>();
    for (let round = 0; round < 25; round++) {
      const set = await pin([paths[0]!, ...others, paths[1]!]);
      expect(set.atOneMoment).toBe(true);
      const both = [set.databases.at(0)!, set.databases.at(-1)!];
      const [first, second] = both.map((pinned) =>
        pinned.withConnection((database) => database.prepare('SELECT n FROM n').pluck().get()),
      ) as [number, number];
      distances.add(first - second);
      await set.close();
    }
    await writer.attempt({ repeat: null });
    expect([...distances].filter((distance) => distance !== 0 && distance !== 1)).toEqual([]);
  });

  it('with a log of 60 MiB that nobody has checkpointed', async () => {
    const path = join(data, 'app.db');
    const writer = child();
    await writer.open(path);
    await writer.exec(
      `PRAGMA journal_mode=wal; PRAGMA wal_autocheckpoint=0;
       CREATE TABLE blobs (id INTEGER PRIMARY KEY, body BLOB);
       WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 60)
       INSERT INTO blobs SELECT i, randomblob(1048576) FROM n;`,
    );
    const set = await pin([path]);
    const [pinned] = set.databases;
    expect(pinned!.walBytes).toBeGreaterThan(60 * 1024 * 1024);
    const image = await openImage(pinned!);
    expectSound(image);
    expect(image.prepare('SELECT sum(length(body)) FROM blobs').pluck().get()).toBe(60 * 1048576);
    image.close();
    await set.close();
  });
});

describe('pinDatabases() leaves nothing behind', () => {
  it('a closed WAL database: listing, bytes and times are as before', async () => {
    const path = join(data, 'app.db');
    const database = new Database(path);
    database.exec('PRAGMA journal_mode=wal; CREATE TABLE t (x); INSERT INTO t VALUES (1)');
    database.close();
    const before = portrait(data);
    const set = await pin([path]);
    expect(set.databases[0]!.method).toBe('pinned');
    const image = await openImage(set.databases[0]!);
    expect(image.prepare('SELECT x FROM t').pluck().all()).toEqual([1]);
    image.close();
    await set.close();
    expect(portrait(data)).toEqual(before);
  });

  it('a crashed WAL database without -shm is read from a copy, complete', async () => {
    const path = join(data, 'app.db');
    const writer = child();
    await writer.open(path);
    await writer.exec(
      'PRAGMA journal_mode=wal; CREATE TABLE t (x); INSERT INTO t VALUES (1), (2), (3)',
    );
    await writer.kill();
    rmSync(`${path}-shm`);
    const before = portrait(data);
    const set = await pin([path]);
    expect(set.databases[0]!.method).toBe('copied');
    const image = await openImage(set.databases[0]!);
    expectSound(image);
    expect(image.prepare('SELECT count(*) FROM t').pluck().get()).toBe(3);
    image.close();
    await set.close();
    expect(portrait(data)).toEqual(before);
    expect(readdirSync(scratch)).toEqual([]);
  });

  it('a crashed WAL database with -shm keeps its files and its log', async () => {
    const path = join(data, 'app.db');
    const writer = child();
    await writer.open(path);
    await writer.exec('PRAGMA journal_mode=wal; CREATE TABLE t (x); INSERT INTO t VALUES (1)');
    await writer.kill();
    const before = portrait(data).filter((line) => !line.startsWith('app.db-shm'));
    const set = await pin([path]);
    const image = await openImage(set.databases[0]!);
    expect(image.prepare('SELECT x FROM t').pluck().all()).toEqual([1]);
    image.close();
    await set.close();
    expect(portrait(data).filter((line) => !line.startsWith('app.db-shm'))).toEqual(before);
    expect(listing()).toEqual(['app.db', 'app.db-shm', 'app.db-wal']);
  });

  it('a hot journal is rolled back in a copy only', async () => {
    const path = join(data, 'app.db');
    const writer = child();
    await writer.open(path);
    await writer.exec(
      `CREATE TABLE t (x, pad); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 500)
       INSERT INTO t SELECT i, zeroblob(4000) FROM n;
       PRAGMA cache_size=5; BEGIN; UPDATE t SET x = -x, pad = randomblob(4000);`,
    );
    await writer.kill();
    expect(listing()).toEqual(['app.db', 'app.db-journal']);
    const before = portrait(data);
    const set = await pin([path]);
    expect(set.databases[0]!.method).toBe('copied');
    const image = await openImage(set.databases[0]!);
    expectSound(image);
    expect(image.prepare('SELECT count(*) FROM t WHERE x > 0').pluck().get()).toBe(500);
    image.close();
    await set.close();
    expect(portrait(data)).toEqual(before);
  });

  it.each(['wal', 'delete'])('a live database in %s mode: nothing new beside it', async (mode) => {
    const path = join(data, 'app.db');
    const writer = child();
    await writer.open(path);
    await writer.exec(`PRAGMA journal_mode=${mode}; CREATE TABLE t (x); INSERT INTO t VALUES (1)`);
    const before = listing();
    const set = await pin([path]);
    await set.close();
    expect(listing()).toEqual(before);
    // No lock is left either: the application goes on, checkpoint included.
    await writer.exec('INSERT INTO t VALUES (2); PRAGMA wal_checkpoint(TRUNCATE)');
  });
});

describe('pinDatabases() refuses clearly', () => {
  it('a database that stays locked: BUSY, retryable, naming who holds it', async () => {
    const path = join(data, 'app.db');
    const writer = child();
    await writer.open(path);
    await writer.exec('CREATE TABLE t (x); BEGIN EXCLUSIVE');
    const error = await pin([path], 300).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(HoldfastError);
    expect(error).toMatchObject({ code: 'BUSY', retryable: true });
    expect((error as HoldfastError).details?.['users']).toMatchObject([{ pid: writer.pid }]);
  });

  it('a missing file: PATH_NOT_FOUND', async () => {
    await expect(pin([join(data, 'no.db')])).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
  });

  it.each([
    ['garbage behind the magic', (path: string) => writeFileSync(path, 'SQLite format 3\0garbage')],
    [
      'a file cut in half',
      (path: string) => {
        new Database(path)
          .exec('CREATE TABLE t (x); INSERT INTO t VALUES (randomblob(50000))')
          .close();
        truncateSync(path, 20_000);
      },
    ],
    ['an empty file', (path: string) => writeFileSync(path, '')],
  ])('%s comes as plain bytes with the reason', async (_name, make) => {
    const path = join(data, 'app.db');
    make(path);
    const before = portrait(data);
    const set = await pin([path]);
    const [pinned] = set.databases;
    expect(pinned!.failure).not.toBeNull();
    expect((await imageOf(pinned!)).length).toBe(Number(before[0]!.split(' ')[1]));
    await set.close();
    expect(portrait(data)).toEqual(before);
  });
});

describe('pinDatabases() reads every shape of database', () => {
  const shapes: [string, string][] = [
    ...[512, 1024, 2048, 8192, 16384, 32768, 65536].map((bytes): [string, string] => [
      `pages of ${bytes}`,
      `PRAGMA page_size=${bytes}`,
    ]),
    ['auto_vacuum', 'PRAGMA auto_vacuum=FULL'],
    ['incremental vacuum', 'PRAGMA auto_vacuum=INCREMENTAL'],
    ['UTF-16le', "PRAGMA encoding='UTF-16le'"],
    ['UTF-16be', "PRAGMA encoding='UTF-16be'"],
  ];
  it.each(shapes)('%s', async (_name, pragma) => {
    for (const mode of ['wal', 'delete']) {
      const path = join(data, `${mode}.db`);
      const writer = new Database(path);
      writer.exec(
        `${pragma}; CREATE TABLE t (x, b); PRAGMA journal_mode=${mode}; PRAGMA user_version=7;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 300)
         INSERT INTO t SELECT 'text ' || i, randomblob(700) FROM n;
         PRAGMA wal_checkpoint; UPDATE t SET x = upper(x) WHERE rowid % 3 = 0;
         DELETE FROM t WHERE rowid > 250;`,
      );
      const expected = writer.prepare('SELECT * FROM t').all();
      writer.close();
      const again = child();
      await again.open(path);
      await again.exec("UPDATE t SET x = 'last' WHERE rowid = 5");
      const set = await pin([path]);
      const [pinned] = set.databases;
      const header = await pinned!.readHeader();
      expect(header).toMatchObject({
        userVersion: 7,
        journalMode: mode === 'wal' ? 'wal' : 'rollback',
      });
      expect(header?.pageBytes).toBe(pinned!.pageBytes);
      const image = await openImage(pinned!);
      expectSound(image);
      const rows = image.prepare('SELECT * FROM t').all() as { x: string }[];
      expect(rows.length).toBe(expected.length);
      expect(rows[4]!.x).toBe('last');
      image.close();
      await set.close();
    }
  });

  it('bytes reserved at the end of every page', async () => {
    const path = join(data, 'app.db');
    new Database(path).exec('CREATE TABLE t (x); DROP TABLE t; VACUUM').close();
    const bytes = readFileSync(path);
    // An empty schema page whose cells would start 32 bytes earlier.
    bytes[20] = 32;
    bytes.writeUInt16BE(4096 - 32, 105);
    writeFileSync(path, bytes.subarray(0, 4096));
    const writer = child();
    await writer.open(path);
    await writer.exec(
      'PRAGMA journal_mode=wal; CREATE TABLE t (x); INSERT INTO t VALUES (randomblob(90000))',
    );
    const set = await pin([path]);
    const [pinned] = set.databases;
    expect((await pinned!.readHeader())?.reservedBytes).toBe(32);
    const image = await openImage(pinned!);
    expectSound(image);
    expect(image.prepare('SELECT length(x) FROM t').pluck().get()).toBe(90_000);
    image.close();
    await set.close();
  });
});
