import {
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { dataPicture, type Picture } from '../promises.ts';
import type { World } from './standing.ts';

/** A small application: a database, a second one, and files. Its state is one of numbered versions. */

/** Everything of version `version`, in place of what was there; no database is left open. */
export function writeApplication(data: string, version: number): void {
  mkdirSync(join(data, 'attachments'), { recursive: true });
  writeRows(join(data, 'app.db'), version, 'wal');
  writeRows(join(data, 'other.db'), version, 'delete');
  writeFileSync(join(data, 'settings.txt'), `version ${version}\n`);
  writeFileSync(join(data, 'attachments', `${version}.bin`), Buffer.alloc(3_000, version));
  rmSync(join(data, 'newest'), { force: true });
  symlinkSync(`attachments/${version}.bin`, join(data, 'newest'));
}

const sqlOf = (version: number): string => `
  CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, version INTEGER, body TEXT);
  DELETE FROM notes WHERE id > 60;
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${60 + version})
  INSERT OR REPLACE INTO notes
    SELECT i, ${version}, printf('%d of %d %s', i, ${version}, hex(randomblob(80))) FROM n;
`;

export function writeRows(path: string, version: number, journalMode: 'wal' | 'delete'): void {
  const database = new Database(path);
  try {
    database.pragma(`journal_mode = ${journalMode}`);
    database.exec(sqlOf(version));
  } finally {
    database.close();
  }
}

/** As writeRows, leaving a log beside the database as an application does that was killed. */
export function writeRowsIntoLog(path: string, version: number): void {
  const database = new Database(path);
  try {
    database.pragma('journal_mode = WAL');
    database.pragma('wal_autocheckpoint = 0');
    database.exec(sqlOf(version));
    const [main, log] = ['', '-wal'].map((suffix) => readFileSync(`${path}${suffix}`));
    database.close();
    writeFileSync(path, main!);
    writeFileSync(`${path}-wal`, log!);
  } finally {
    database.close();
  }
}

/** What the application would find in a database; fails where it cannot open it. */
export function rowsOf(path: string): string {
  const database = new Database(path, { fileMustExist: true });
  try {
    const integrity = database.pragma('integrity_check', { simple: true });
    const rows = database.prepare('SELECT * FROM notes ORDER BY id').all();
    return `${integrity} ${database.pragma('user_version', { simple: true })} ${JSON.stringify(rows)}`;
  } finally {
    database.close();
  }
}

/** What the application would find when it starts now. */
export function applicationOf(data: string): Picture {
  const attachments = join(data, 'attachments');
  return {
    app: rowsOf(join(data, 'app.db')),
    other: rowsOf(join(data, 'other.db')),
    settings: readFileSync(join(data, 'settings.txt'), 'utf8'),
    newest: readlinkSync(join(data, 'newest')),
    attached: String(lstatSync(join(data, readlinkSync(join(data, 'newest')))).size),
    attachments: String(lstatSync(attachments).isDirectory()),
  };
}

/** Takes a snapshot and remembers what it holds. */
export async function takeKnown({ bench, truth }: World): Promise<string> {
  const { snapshotId } = await bench.work({ kind: 'backup' });
  truth.set(snapshotId, dataPicture(bench.data));
  return snapshotId;
}
