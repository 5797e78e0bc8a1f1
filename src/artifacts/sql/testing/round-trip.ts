import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { type Activity, quietActivity } from '../../../kernel/activity.ts';
import { compareDatabases } from '../compare-databases.ts';
import { type DumpCounts, dumpSql } from '../dump-sql.ts';
import { type LoadedSql, type LoadLimits, loadSql } from '../load-sql.ts';

/** A directory for one test file; its databases are numbered. */
export class Workbench {
  readonly directory = mkdtempSync(join(tmpdir(), 'holdfast-sql-'));
  #files = 0;

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  newPath(): string {
    this.#files += 1;
    return join(this.directory, `${this.#files}.db`);
  }

  /** A new database; made by SQL. */
  make(sql = '', before = ''): Database.Database {
    const db = new Database(this.newPath());
    db.unsafeMode(true);
    db.exec(before);
    db.pragma('synchronous = OFF');
    db.pragma('journal_mode = MEMORY');
    db.pragma('foreign_keys = OFF');
    db.exec(sql);
    return db;
  }
}

export async function dumpText(
  db: Database.Database,
  activity: Activity = quietActivity(),
): Promise<{ text: string; counts: DumpCounts; longestPiece: number }> {
  db.exec('BEGIN');
  try {
    const dump = dumpSql(db, { activity });
    let text = '';
    let longestPiece = 0;
    for (;;) {
      const next = await dump.next();
      if (next.done === true) return { text, counts: next.value, longestPiece };
      text += next.value;
      longestPiece = Math.max(longestPiece, next.value.length);
    }
  } finally {
    db.exec('COMMIT');
  }
}

export async function* bytesOf(
  text: string | Buffer,
  pieceBytes = 64 * 1024,
): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text as string);
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

export function loadText(
  text: string | Buffer,
  path: string,
  options: { pieceBytes?: number; limits?: Partial<LoadLimits>; activity?: Activity } = {},
): Promise<LoadedSql> {
  const { pieceBytes, limits = {}, activity = quietActivity() } = options;
  return loadSql(bytesOf(text, pieceBytes), path, { activity, limits });
}

export async function differencesOf(
  db: Database.Database,
  path: string,
): Promise<readonly string[]> {
  const other = new Database(path, { readonly: true });
  db.exec('BEGIN');
  other.exec('BEGIN');
  try {
    return await compareDatabases(db, other, quietActivity());
  } finally {
    db.exec('COMMIT');
    other.close();
  }
}

export const hasShell = ((): boolean => {
  try {
    execFileSync('sqlite3', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** Replays text in SQLite's own shell, as a person would. Returns what it complained about. */
export function replayInShell(text: string | Buffer, path: string): void {
  execFileSync('sqlite3', ['-bail', path], { input: text, stdio: ['pipe', 'ignore', 'pipe'] });
}
