import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testSource } from '../config/testing/settings.ts';
import { type Activity, quietActivity } from '../kernel/activity.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import type { SqliteChild } from '../sqlite/testing/processes.ts';
import { isGood, type Manifest, type ManifestDatabase } from '../store/manifests/manifest.ts';
import type { ContentSource, StoreWriter } from '../store/store.ts';
import { captureSource } from './capture-source.ts';
import { captureBench, removeBench } from './testing/capture-bench.ts';

const LIMIT_BYTES = 512 * 1024;
const MEBIBYTE = 1024 * 1024;
/** Waiting for a checkpoint that never comes takes a tenth of its time. */
const HURRY = 10;
const hurriedClock: Clock = {
  ...systemClock,
  monotonicMs: () => systemClock.monotonicMs() * HURRY,
  after: (delayMs, callback, options) => systemClock.after(delayMs / HURRY, callback, options),
};

let directory: string;
let writer: StoreWriter;
let application: SqliteChild;
const pathOf = (name: string): string => join(directory, 'data', name);

beforeEach(async () => {
  ({ directory, writer, application } = await captureBench('large.db'));
  // Two databases that change together: 9 MB and a small one that is pinned and read before it.
  await application.exec(
    `ATTACH '${pathOf('count.db')}' AS other;
     PRAGMA main.journal_mode=WAL; PRAGMA other.journal_mode=WAL; PRAGMA wal_autocheckpoint=100;
     CREATE TABLE other.counted (n INTEGER); INSERT INTO counted VALUES (0);
     CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB, n INTEGER);
     CREATE TABLE total (n INTEGER); INSERT INTO total VALUES (0);
     WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM i WHERE n < 9000)
     INSERT INTO t SELECT n, randomblob(900), 0 FROM i;
     ${commit(1)} ${commit(2)}`,
  );
});

afterEach(async () => {
  await removeBench({ directory, writer, application });
});

/** One transaction on both, some pages of the large one among it. */
function commit(id: number): string {
  return `BEGIN; UPDATE total SET n = n + 1; UPDATE counted SET n = n + 1;
    UPDATE t SET n = n + 1 WHERE id IN (${id}, ${id + 3000}, ${id + 6000}); COMMIT;`;
}

/** Enough of them to make the log longer than LIMIT_BYTES. */
async function writeMuch(from: number): Promise<void> {
  const commits = Array.from({ length: 60 }, (_, index) => commit(from + (index % 3)));
  await application.exec(commits.join('\n'));
}

interface Hooks {
  /** Awaited before each read of the large database; `read` counts from 1 over all attempts. */
  readonly beforeRead: (read: number) => Promise<void> | void;
  /** When the databases were let go. */
  readonly onRetry: () => void;
}

/** The writer, with something happening between reads of the large database. */
function hookedWriter(beforeRead: Hooks['beforeRead']): StoreWriter {
  let reads = 0;
  const hook = (source: ContentSource): ContentSource => ({
    ...source,
    read: async (offset, lengthBytes) => {
      reads += 1;
      await beforeRead(reads);
      return source.read(offset, lengthBytes);
    },
  });
  return new Proxy(writer, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (name === 'writeContent') {
        const write: StoreWriter['writeContent'] = (source, parent, activity) =>
          target.writeContent(source.bytes > MEBIBYTE ? hook(source) : source, parent, activity);
        return write;
      }
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

async function capture(
  hooks: Partial<Hooks>,
  {
    parent = null,
    maxLogGrowthBytes = LIMIT_BYTES,
    clock = systemClock,
  }: {
    clock?: Clock;
    parent?: { id: string; manifest: Manifest } | null;
    maxLogGrowthBytes?: number | null;
  } = {},
): Promise<{ id: string; manifest: Manifest }> {
  const activity: Activity = {
    ...quietActivity(),
    log: (message) => {
      if (message.includes('has grown too long')) hooks.onRetry?.();
    },
  };
  return captureSource(
    {
      source: testSource({
        roots: [{ class: 'data', name: null, path: join(directory, 'data'), required: true }],
        databases: {
          depth: 0,
          check: 'quick',
          optional: [],
          fullScanEveryMs: 86_400_000,
          maxLogGrowthBytes,
        },
      }),
      type: 'full',
      origin: 'manual',
      reason: null,
      jobId: null,
      parent,
      forbiddenPaths: [join(directory, 'repository'), join(directory, 'scratch')],
      scratchDirectory: join(directory, 'scratch'),
      toolVersion: '1.0.0',
    },
    hookedWriter(hooks.beforeRead ?? (() => {})),
    activity,
    clock,
  );
}

const recordOf = ({ manifest }: { manifest: Manifest }, name: string): ManifestDatabase =>
  manifest.databases.find(({ path }) => path === `data/${name}`)!;

/** What a snapshot holds of a database, opened: sound, and its counter. */
async function counterIn(snapshot: { manifest: Manifest }, name: string): Promise<number> {
  const entry = await writer.reader.findEntry(snapshot.manifest, `data/${name}`);
  if (entry.type !== 'database') throw new Error(`It is a ${entry.type}`);
  const pieces: Buffer[] = [];
  for await (const piece of writer.reader.readContent(entry.content)) pieces.push(piece);
  const copy = join(directory, `restored-${name}`);
  writeFileSync(copy, Buffer.concat(pieces));
  const database = new Database(copy);
  try {
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
    const table = name === 'large.db' ? 'total' : 'counted';
    return database.prepare<[], number>(`SELECT n FROM ${table}`).pluck().get()!;
  } finally {
    database.close();
  }
}

async function expectOneMoment(snapshot: { manifest: Manifest }): Promise<void> {
  expect(isGood(snapshot.manifest)).toBe(true);
  expect(await counterIn(snapshot, 'large.db')).toBe(await counterIn(snapshot, 'count.db'));
}

describe('a log that grows while its database is read', () => {
  it('is given the chance to be shortened; all databases are of one later moment, and what was read is not read again', async () => {
    let retries = 0;
    const snapshot = await capture({
      beforeRead: async (read) => {
        if (read === 6) await writeMuch(1);
      },
      onRetry: () => {
        retries += 1;
        void application.exec(`${commit(5)} ${commit(6)}`);
      },
    });
    expect(retries).toBe(1);
    const { logGrowth } = recordOf(snapshot, 'large.db');
    expect(logGrowth).toMatchObject({ retries: 1 });
    expect(logGrowth!.bytesAfter).toBeGreaterThanOrEqual(logGrowth!.bytesBefore);
    expect(snapshot.manifest.warnings).toEqual([]);
    await expectOneMoment(snapshot);
    expect(await counterIn(snapshot, 'count.db')).toBeGreaterThan(60);
    // Some 5 MB before it was let go, the rest and what changed meanwhile after that.
    const { pageBytes, pageCount } = recordOf(snapshot, 'large.db');
    const imageBytes = pageBytes * pageCount;
    expect(snapshot.manifest.statistics.readBytes).toBeLessThan(imageBytes * 1.4);
    // Nothing is stored twice: the next snapshot of the same state adds no chunk.
    const again = await capture({}, { parent: null });
    expect(again.manifest.statistics).toMatchObject({ chunksNew: 0, chunksDelta: 0 });
  });

  it('is read again in full where its file ends with the log, which then proves nothing; nothing is stored twice', async () => {
    await application.exec(`PRAGMA main.wal_checkpoint(TRUNCATE); ${commit(1)}`);
    const snapshot = await capture({
      beforeRead: async (read) => {
        if (read === 6) await writeMuch(1);
      },
      onRetry: () => void application.exec(`${commit(5)} ${commit(6)}`),
    });
    const { logGrowth } = recordOf(snapshot, 'large.db');
    expect(logGrowth!.bytesAfter).toBeGreaterThan(logGrowth!.bytesBefore);
    expect(logGrowth).toMatchObject({ retries: 1 });
    await expectOneMoment(snapshot);
    const { chunksNew, chunksDelta } = snapshot.manifest.statistics;
    const chunks = Math.ceil(snapshot.manifest.statistics.totalBytes / 65_536);
    // Those that were read before and changed meanwhile.
    expect(chunksNew + chunksDelta).toBeLessThan(chunks + 8);
  });

  it('goes through to its end with a warning when it was let go three times', async () => {
    let retries = 0;
    const snapshot = await capture({
      beforeRead: (read) => writeMuch(1 + read),
      onRetry: () => {
        retries += 1;
        void application.exec(`${commit(7)} ${commit(8)}`);
      },
    });
    expect(retries).toBe(3);
    expect(recordOf(snapshot, 'large.db').logGrowth).toMatchObject({ retries: 3 });
    expect(snapshot.manifest.warnings.join()).toMatch(/large\.db grew by \d+ MB while/);
    await expectOneMoment(snapshot);
  });

  it('is not let go again where nobody shortens it anyway', async () => {
    await application.exec('PRAGMA wal_autocheckpoint = 0');
    let retries = 0;
    const snapshot = await capture(
      {
        beforeRead: async (read) => {
          if (read % 3 === 0) await writeMuch(read);
        },
        onRetry: () => {
          retries += 1;
        },
      },
      { clock: hurriedClock },
    );
    expect(retries).toBe(1);
    await expectOneMoment(snapshot);
  });

  it('may grow as it likes where the bound is 0, and by default as far as a large one may', async () => {
    for (const maxLogGrowthBytes of [0, null]) {
      let retries = 0;
      const snapshot = await capture(
        {
          beforeRead: async (read) => {
            if (read === 3) await writeMuch(1);
          },
          onRetry: () => {
            retries += 1;
          },
        },
        { maxLogGrowthBytes },
      );
      expect(retries).toBe(0);
      expect(recordOf(snapshot, 'large.db').logGrowth).toMatchObject({ retries: 0 });
      expect(snapshot.manifest.warnings).toEqual([]);
      await expectOneMoment(snapshot);
    }
  });

  it('costs the later attempt nothing of what the log proved against the parent', async () => {
    const parent = await capture({});
    await application.exec(commit(20));
    const snapshot = await capture(
      {
        beforeRead: async (read) => {
          if (read === 3) await writeMuch(1);
        },
        onRetry: () => void application.exec(`${commit(5)} ${commit(6)}`),
      },
      { parent },
    );
    await expectOneMoment(snapshot);
    const full = await capture({});
    expect(full.manifest.statistics).toMatchObject({ chunksNew: 0, chunksDelta: 0 });
  });
});
