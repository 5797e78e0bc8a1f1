import { closeSync, openSync, readFileSync, utimesSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testSource } from '../config/testing/settings.ts';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { SqliteChild } from '../sqlite/testing/processes.ts';
import type { Content } from '../store/chunks/content.ts';
import { isGood, type Manifest, type ManifestDatabase } from '../store/manifests/manifest.ts';
import type { StoreWriter } from '../store/store.ts';
import { captureSource } from './capture-source.ts';
import { captureBench, removeBench } from './testing/capture-bench.ts';

const DAY_MS = 86_400_000;

let directory: string;
let path: string;
let writer: StoreWriter;
let application: SqliteChild;

type Snapshot = { id: string; manifest: Manifest };

beforeEach(async () => {
  ({ directory, writer, application } = await captureBench());
  path = join(directory, 'data', 'app.db');
  // 4 MB in the file; a page of it, and no more, in the log.
  await application.exec(
    `PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;
     CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB, n INTEGER);
     WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM i WHERE n < 4000)
     INSERT INTO t SELECT n, randomblob(900), 0 FROM i;
     PRAGMA wal_checkpoint(PASSIVE); ${touch(1)}`,
  );
});

afterEach(async () => {
  await removeBench({ directory, writer, application });
});

const touch = (id: number): string => `UPDATE t SET n = n + 1 WHERE id = ${id};`;

async function startApplication(): Promise<SqliteChild> {
  const child = SqliteChild.start();
  await child.open(path);
  return child;
}

async function capture(parent: Snapshot | null, fullScanEveryMs = DAY_MS): Promise<Snapshot> {
  const source = testSource({
    roots: [{ class: 'data', name: null, path: join(directory, 'data'), required: true }],
    databases: {
      depth: 0,
      check: 'quick',
      optional: [],
      fullScanEveryMs,
      maxLogGrowthBytes: null,
    },
  });
  return captureSource(
    {
      source,
      type: 'full',
      origin: 'manual',
      reason: null,
      jobId: null,
      parent,
      forbiddenPaths: [join(directory, 'repository'), join(directory, 'scratch')],
      scratchDirectory: join(directory, 'scratch'),
      toolVersion: '1.0.0',
    },
    writer,
    quietActivity(),
    systemClock,
  );
}

async function contentOf({ manifest }: Snapshot): Promise<Content> {
  const entry = await writer.reader.findEntry(manifest, 'data/app.db');
  if (entry.type !== 'database') throw new Error(`It is a ${entry.type}`);
  return entry.content;
}

const recordOf = ({ manifest }: Snapshot): ManifestDatabase => manifest.databases[0]!;
const readBytes = ({ manifest }: Snapshot): number => manifest.statistics.readBytes;

/** Changes bytes of the file in place, around SQLite. */
function writeAround(offset: number, bytes: string): void {
  const descriptor = openSync(path, 'r+');
  writeSync(descriptor, Buffer.from(bytes), 0, bytes.length, offset);
  closeSync(descriptor);
}

describe('a database whose log tells what changed', () => {
  it('is read where it changed, and nowhere else; what is stored is what a full reading stores', async () => {
    const first = await capture(null);
    expect(readBytes(first)).toBeGreaterThan(4_000_000);
    await application.exec(touch(500) + touch(2_000) + touch(3_500));
    const second = await capture(first);
    expect(readBytes(second)).toBeLessThanOrEqual(4 * 65_536);
    const full = await capture(first, 0);
    expect(readBytes(full)).toBeGreaterThan(4_000_000);
    expect(await contentOf(second)).toEqual(await contentOf(full));
    expect(second.manifest.statistics.chunksReused).toBe(full.manifest.statistics.chunksReused - 3);
    expect(isGood(second.manifest)).toBe(true);
  });

  it('one after the other, with checkpoints, growth, a vacuum and another log in between', async () => {
    let parent = await capture(null);
    const { scannedAt } = recordOf(parent).reading!;
    const rounds = [
      touch(10),
      `INSERT INTO t (body) SELECT randomblob(2000) FROM t LIMIT 300; ${touch(11)}`,
      `${touch(12)} PRAGMA wal_checkpoint(PASSIVE)`,
      touch(13),
      touch(14),
      'DELETE FROM t WHERE id > 3000',
      'VACUUM',
      touch(15),
    ];
    for (const sql of rounds) {
      await application.exec(sql);
      const next = await capture(parent);
      expect(recordOf(next).reading!.scannedAt).toBe(scannedAt);
      expect(await contentOf(next)).toEqual(await contentOf(await capture(parent, 0)));
      parent = next;
    }
  });

  it('is read in full when that is due, and after another start of the host', async () => {
    const first = await capture(null);
    await application.exec(touch(5));
    const due = await capture(first, 1);
    expect(readBytes(due)).toBeGreaterThan(4_000_000);
    const { scannedAt } = recordOf(first).reading!;
    expect(recordOf(due).reading!.scannedAt > scannedAt).toBe(true);
    expect(due.manifest.warnings).toEqual([]);

    const log = { ...recordOf(first).reading!.log!, bootId: 'another' };
    const database = { ...recordOf(first), reading: { scannedAt, contradictedAt: null, log } };
    const elsewhere = { ...first, manifest: { ...first.manifest, databases: [database] } };
    expect(readBytes(await capture(elsewhere))).toBeGreaterThan(4_000_000);
  });

  it('what was written around SQLite is found by the next full reading, said, and the log not believed again', async () => {
    const first = await capture(null);
    await application.exec(`${touch(5)} PRAGMA wal_checkpoint(PASSIVE)`);
    const at = readFileSync(path).length - 300;
    writeAround(at, 'rot');
    const unaware = await capture(first);
    expect(readBytes(unaware)).toBeLessThanOrEqual(3 * 65_536);
    await application.exec(touch(6));
    const aware = await capture(unaware, 1);
    expect(aware.manifest.warnings.join()).toMatch(/data\/app\.db was written around SQLite/);
    expect(recordOf(aware).reading!.contradictedAt).not.toBeNull();
    await application.exec(touch(7));
    const later = await capture(aware);
    expect(readBytes(later)).toBeGreaterThan(4_000_000);
    expect(recordOf(later).reading!.contradictedAt).toBe(recordOf(aware).reading!.contradictedAt);
    expect(later.manifest.warnings).toEqual([]);
  });

  it('one that fails its check is kept as it stands there, not as it was before', async () => {
    const first = await capture(null);
    await application.exec(`${touch(5)} PRAGMA wal_checkpoint(PASSIVE)`);
    const pages = readFileSync(path).length / 4096;
    writeAround((pages - 2) * 4096, 'no page of any tree begins like this');
    await application.exec(touch(6));
    const bad = await capture(first);
    expect(isGood(bad.manifest)).toBe(false);
    expect(await contentOf(bad)).toEqual(await contentOf(await capture(first, 0)));
    utimesSync(path, 1, 1);
    expect(readBytes(await capture(bad))).toBeGreaterThan(4_000_000);
  });
});

const row = fc.integer({ min: 1, max: 4_500 });
const work = fc.oneof(
  { weight: 4, arbitrary: row.map(touch) },
  {
    weight: 2,
    arbitrary: row.map((id) => `INSERT INTO t (body) VALUES (randomblob(${id * 20}));`),
  },
  { weight: 1, arbitrary: row.map((id) => `DELETE FROM t WHERE id BETWEEN ${id} AND ${id + 50};`) },
  { weight: 1, arbitrary: row.map((id) => `BEGIN; DELETE FROM t WHERE id > ${id}; ROLLBACK;`) },
  { weight: 3, arbitrary: fc.constant('PRAGMA wal_checkpoint(PASSIVE);') },
  { weight: 1, arbitrary: fc.constant('PRAGMA wal_checkpoint(TRUNCATE);') },
  { weight: 1, arbitrary: fc.constant('VACUUM;') },
  { weight: 1, arbitrary: fc.constant('crash') },
);

it('whatever is done between snapshots, what is stored is what a full reading stores', async () => {
  const numRuns = Number(process.env['HOLDFAST_TEST_SEQUENCES'] ?? 4);
  let parent = await capture(null);
  let byLog = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(work, { minLength: 1, maxLength: 6 }), { minLength: 3, maxLength: 6 }),
      async (rounds) => {
        for (const statements of rounds) {
          for (const sql of statements) {
            if (sql === 'crash') {
              await application.kill();
              application = await startApplication();
            } else await application.attempt({ exec: sql });
          }
          const full = await capture(parent, 0);
          const next = await capture(parent);
          expect(await contentOf(next)).toEqual(await contentOf(full));
          const isByLog = recordOf(next).reading?.scannedAt === recordOf(parent).reading?.scannedAt;
          if (isByLog) byLog += 1;
          parent = next;
        }
      },
    ),
    // Snapshots follow each other: a history that is cut short is another one.
    { numRuns, endOnFailure: true, verbose: 1 },
  );
  expect(byLog).toBeGreaterThan(0);
}, 600_000);
