import { copyFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { freshDirectory, removeDirectory } from '../sqlite/testing/directories.ts';
import { assessDatabase } from './assess.ts';
import { findMissingPage } from './missing-page.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = freshDirectory();
  path = join(directory, 'crashed.db');
});
afterEach(() => removeDirectory(directory));

/** The files as a crash leaves them, once a long value was checkpointed and `sql` was committed to the log. */
function crash(sql: string): void {
  const live = join(directory, 'live.db');
  const database = new Database(live);
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
    CREATE TABLE t (id INTEGER PRIMARY KEY, body);
    INSERT INTO t VALUES (1, zeroblob(20000)); PRAGMA wal_checkpoint(TRUNCATE)`);
  database.exec(sql);
  for (const suffix of ['', '-wal']) copyFileSync(`${live}${suffix}`, `${path}${suffix}`);
  database.close();
}

function assess() {
  const scratchDirectory = join(directory, 'scratch');
  const request = {
    path,
    level: 'full',
    scratchDirectory,
    baseline: null,
    snapshots: null,
  } as const;
  return assessDatabase(request, quietActivity(), systemClock);
}

it('a page that a commit of the log counts and no file holds is damage, though SQLite’s own check reads zeros', async () => {
  crash('INSERT INTO t VALUES (2, 1)');
  expect(findMissingPage(path)).toBeNull();
  const last = statSync(path).size / 4096;
  for (const bytes of [last * 4096 - 1, (last - 1) * 4096]) {
    truncateSync(path, bytes);
    expect(findMissingPage(path)).toBe(last);
  }
  expect(await assess()).toMatchObject({
    condition: 'corrupt',
    reason: `page ${last} is neither in the file nor in its log`,
  });
});

it('pages that were freed before they were ever written are none', async () => {
  crash('BEGIN; INSERT INTO t VALUES (2, zeroblob(50000)); DELETE FROM t WHERE id = 2; COMMIT');
  expect(findMissingPage(path)).toBeNull();
  expect(await assess()).toMatchObject({ condition: 'ok' });
});
