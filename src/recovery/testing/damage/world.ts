import { copyFileSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { captureSource } from '../../../capture/capture-source.ts';
import { quietActivity } from '../../../kernel/activity.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { initRepository, openWriter } from '../../../store/repository.ts';
import { Workbench } from '../workbench.ts';
import { History } from './history.ts';
import { PageImage } from './page-image.ts';
import { PageMap, type TreeRoot } from './page-map.ts';
import { Random } from './random.ts';
import type { Shape } from './shape.ts';
import { readRows, Truth } from './truth.ts';

/** The files of one database, as they lie on disk. */
export interface Family {
  readonly main: Buffer;
  readonly wal: Buffer | null;
  readonly journal: Buffer | null;
}

/** Whole seconds, so that they can be given back to a file exactly: a disk that rots changes no times. */
const MTIME_SECONDS = 1_700_000_000;

function edit<T>(path: string, run: (database: Database.Database) => T): T {
  const database = new Database(path);
  try {
    database.pragma('synchronous = OFF');
    database.pragma('wal_autocheckpoint = 0');
    return run(database);
  } finally {
    database.close();
  }
}

/** A WAL of an older copy of the database, with changes of its own. */
function makeForeignWal(origin: string, shape: Shape): Buffer {
  const path = `${origin}.foreign`;
  copyFileSync(origin, path);
  const wal = edit(path, (database) => {
    new History(database, new Random(shape.seed + 50_000), shape).work();
    return readFileSync(`${path}-wal`);
  });
  rmSync(path);
  return wal;
}

function treeRoots(path: string): TreeRoot[] {
  const roots = edit(path, (database) =>
    database
      .prepare<[], { name: string; rootPage: number; sql: string | null; type: string }>(
        'SELECT name, rootpage AS "rootPage", sql, type FROM sqlite_schema WHERE rootpage > 0',
      )
      .all(),
  ).map(({ name, rootPage, sql, type }) => ({
    name,
    rootPage,
    withoutRowid: type === 'table' && /WITHOUT ROWID$/i.test(sql ?? ''),
  }));
  return [{ name: 'sqlite_schema', rootPage: 1, withoutRowid: false }, ...roots];
}

/** A database with its history, a repository with its snapshot, and the truth about every row. */
export class World {
  readonly shape: Shape;
  readonly bench: Workbench;
  /** As the snapshot has it: one file. */
  readonly before: PageImage;
  /** The moment before the damage, its WAL applied. The same as `before` where nothing was written since. */
  readonly after: PageImage;
  /** Beside `before` it makes `after`. Null where nothing was written since. */
  readonly wal: Buffer | null;
  /** Of an older copy of the same database. */
  readonly foreignWal: Buffer;
  readonly truth: Truth;
  readonly map: PageMap;

  private constructor(fields: Omit<World, 'path' | 'place' | 'remove'>) {
    this.shape = fields.shape;
    this.bench = fields.bench;
    this.before = fields.before;
    this.after = fields.after;
    this.wal = fields.wal;
    this.foreignWal = fields.foreignWal;
    this.truth = fields.truth;
    this.map = fields.map;
  }

  get path(): string {
    return this.bench.path('app.db');
  }

  static async create(shape: Shape): Promise<World> {
    const bench = await Workbench.create();
    const path = bench.path('app.db');
    const random = new Random(shape.seed);
    edit(path, (database) => {
      const history = new History(database, random, shape);
      history.create(shape);
      history.fill();
    });
    const origin = readRows(path);
    const foreignWal = makeForeignWal(path, shape);
    edit(path, (database) => new History(database, random, shape).clearOut());
    const snapshot = readRows(path);
    const before = new PageImage(readFileSync(path), shape.pageBytes);
    edit(bench.path('beside.db'), (database) => database.exec('CREATE TABLE t AS SELECT 1 AS n'));
    utimesSync(path, MTIME_SECONDS, MTIME_SECONDS);
    await capture(bench);
    let wal: Buffer | null = null;
    if (shape.written) {
      wal = edit(path, (database) => {
        new History(database, random, shape).work();
        return readFileSync(`${path}-wal`);
      });
    }
    const truth = new Truth(readRows(path), snapshot, [origin]);
    const roots = treeRoots(path);
    const after = new PageImage(readFileSync(path), shape.pageBytes);
    const map = new PageMap(after, roots, shape.encoding);
    return new World({ shape, bench, before, after, wal, foreignWal, truth, map });
  }

  /** Puts a family where the application's database is, and forgets everything recovery knows. */
  async place({ main, wal, journal }: Family): Promise<void> {
    for (const suffix of ['-wal', '-shm', '-journal']) {
      rmSync(`${this.path}${suffix}`, { force: true });
    }
    writeFileSync(this.path, main);
    const seconds = MTIME_SECONDS + (this.shape.written ? 60 : 0);
    utimesSync(this.path, seconds, seconds);
    if (wal !== null) writeFileSync(`${this.path}-wal`, wal);
    if (journal !== null) writeFileSync(`${this.path}-journal`, journal);
    await rm(this.bench.state, { recursive: true, force: true });
    await mkdir(this.bench.state);
  }

  remove(): Promise<void> {
    return this.bench.remove();
  }
}

async function capture(bench: Workbench): Promise<void> {
  await initRepository(bench.repository, { clock: systemClock });
  const scratchDirectory = join(bench.directory, 'scratch');
  await mkdir(scratchDirectory);
  const writer = await openWriter(bench.repository, {
    codec: 'none',
    verifyWrites: 'sample',
    clock: systemClock,
    lockWaitMs: 10_000,
    purpose: 'test',
  });
  try {
    const request = {
      source: bench.source,
      type: 'full',
      origin: 'manual',
      reason: null,
      jobId: null,
      parent: null,
      forbiddenPaths: [],
      scratchDirectory,
      toolVersion: '0.0.0',
    } as const;
    await captureSource(request, writer, quietActivity(), systemClock);
  } finally {
    await writer.close();
  }
}
