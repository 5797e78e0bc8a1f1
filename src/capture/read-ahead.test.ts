import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testSource } from '../config/testing/settings.ts';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import type { SqliteChild } from '../sqlite/testing/processes.ts';
import { isGood, type Manifest } from '../store/manifests/manifest.ts';
import type { StoreWriter } from '../store/store.ts';
import { captureSource } from './capture-source.ts';
import { captureBench, removeBench } from './testing/capture-bench.ts';

let directory: string;
let writer: StoreWriter;
let application: SqliteChild;

beforeEach(async () => {
  ({ directory, writer, application } = await captureBench());
  await application.exec(
    `PRAGMA journal_mode = DELETE; CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB);
     WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM i WHERE n < 6000)
     INSERT INTO t SELECT n, randomblob(900) FROM i;`,
  );
});

afterEach(async () => {
  await removeBench({ directory, writer, application });
});

/** Takes a snapshot while a row is inserted each time that the database was read, as often as said. */
async function capture(
  writes: number,
  scratchDirectory = join(directory, 'scratch'),
): Promise<{ manifest: Manifest; reads: number }> {
  let reads = 0;
  const hooked = new Proxy(writer, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (name === 'writeContent') {
        const write: StoreWriter['writeContent'] = async (...args) => {
          const content = await target.writeContent(...args);
          reads += 1;
          if (reads <= writes) await application.exec('INSERT INTO t (body) VALUES (1)');
          return content;
        };
        return write;
      }
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const { manifest } = await captureSource(
    {
      source: testSource({
        roots: [{ class: 'data', name: null, path: join(directory, 'data'), required: true }],
      }),
      type: 'full',
      origin: 'manual',
      reason: null,
      jobId: null,
      parent: null,
      forbiddenPaths: [join(directory, 'repository'), join(directory, 'scratch')],
      scratchDirectory,
      toolVersion: '1.0.0',
    },
    hooked,
    quietActivity(),
    systemClock,
  );
  return { manifest, reads };
}

async function rowsIn(manifest: Manifest): Promise<number> {
  const entry = await writer.reader.findEntry(manifest, 'data/app.db');
  if (entry.type !== 'database') throw new Error(`It is a ${entry.type}`);
  const pieces: Buffer[] = [];
  for await (const piece of writer.reader.readContent(entry.content)) pieces.push(piece);
  const copy = join(directory, 'restored.db');
  writeFileSync(copy, Buffer.concat(pieces));
  const database = new Database(copy);
  try {
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
    return database.prepare<[], number>('SELECT count(*) FROM t').pluck().get()!;
  } finally {
    database.close();
  }
}

/** True when its check was over before its lock was taken. */
function isCheckedAhead({ databases, capturedAt }: Manifest): boolean {
  return databases[0]!.check.at <= capturedAt;
}

describe('a large database in rollback mode', () => {
  it('is read and checked before its lock is taken where nobody writes it meanwhile', async () => {
    const { manifest, reads } = await capture(0);
    expect(reads).toBe(1);
    expect(isGood(manifest)).toBe(true);
    expect(isCheckedAhead(manifest)).toBe(true);
    expect(await rowsIn(manifest)).toBe(6000);
  });

  it('is copied where it was written meanwhile: writers do not wait while it is stored', async () => {
    // In rollback mode the second row could not be written while the database is still pinned.
    const { manifest, reads } = await capture(2);
    expect(reads).toBe(2);
    expect(isGood(manifest)).toBe(true);
    expect(isCheckedAhead(manifest)).toBe(false);
    expect(await rowsIn(manifest)).toBe(6001);
    expect(readdirSync(join(directory, 'scratch'))).toEqual([]);
  });

  describe('where no copy of it can be made', () => {
    it('is read once more without the lock where it was written', async () => {
      const { manifest, reads } = await capture(1, join(directory, 'missing'));
      expect(reads).toBe(2);
      expect(isCheckedAhead(manifest)).toBe(true);
      expect(await rowsIn(manifest)).toBe(6001);
    });

    it('is read and checked under the lock where it was written each time', async () => {
      const { manifest, reads } = await capture(2, join(directory, 'missing'));
      expect(reads).toBe(3);
      expect(isGood(manifest)).toBe(true);
      expect(await rowsIn(manifest)).toBe(6002);
    });
  });
});
