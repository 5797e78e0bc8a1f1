import { statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { messageOf, systemCode } from '../kernel/errors.ts';
import { looksEncrypted } from './encrypted-look.ts';
import { checkTableByTable, isForeignDefinition } from './piecewise-check.ts';
import { readWithoutTrust } from './without-trust.ts';

/** What SQLite's own checks say about a database, told apart from a database that only cannot be read now. */

/** `quick`: structure of every page; `full`: also that every index agrees with its table. */
export type CheckLevel = 'quick' | 'full';

export type CheckOutcome = 'ok' | 'corrupt' | 'busy' | 'encrypted' | 'missing' | 'unreadable';

export interface ConnectionCheck {
  readonly ok: boolean;
  /** One finding each, bounded in number and length; empty when ok. */
  readonly messages: string[];
  /** The code of what SQLite threw, such as `SQLITE_CORRUPT`; absent when nothing was thrown. */
  readonly thrown?: string;
}

export interface DatabaseCheckResult extends ConnectionCheck {
  readonly level: CheckLevel;
  readonly outcome: CheckOutcome;
}

export interface CheckOptions {
  /** Refuses every change. Off by default: a closed WAL database opened read-only is left with `-wal` and `-shm`. */
  readonly readonly?: boolean;
  /** How long to wait for another process' lock. */
  readonly timeoutMs?: number;
}

export const CHECK_MESSAGES_MAX = 100;
const MESSAGE_CHARACTERS_MAX = 400;
const BUSY_TIMEOUT_MS = 1_000;

/** True for codes that mean damage, extended ones included; never for locks, rights or a full disk. */
export function isCorruptionCode(code: string | undefined): boolean {
  return code?.startsWith('SQLITE_CORRUPT') === true || code === 'SQLITE_NOTADB';
}

/** A full-text table without its version says so as if SQLite were too old for it. */
function isFullTextFormatLost(error: unknown): boolean {
  return /^invalid fts5 file format \(found 0,/.test(messageOf(error));
}

/** True for codes that mean that another connection is in the way: the same call may succeed later. */
export function isBusyCode(code: string | undefined): boolean {
  return /^SQLITE_(BUSY|LOCKED|PROTOCOL)/.test(code ?? '');
}

/** Splits a row of a check into single findings, dropping headings and `ok`. */
function findings(row: string): string[] {
  return row
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && line !== 'ok' && !line.startsWith('*** in database'))
    .map((line) => line.slice(0, MESSAGE_CHARACTERS_MAX));
}

/** Rows are taken one by one: all() would lose those that came before an error. */
function collect(rows: Iterable<unknown>): ConnectionCheck {
  const messages: string[] = [];
  let thrown: string | undefined;
  try {
    for (const row of rows) {
      messages.push(...findings(String(row)));
      if (messages.length >= CHECK_MESSAGES_MAX) break;
    }
  } catch (error) {
    thrown = isFullTextFormatLost(error) ? 'SQLITE_CORRUPT_VTAB' : systemCode(error);
    if (!isCorruptionCode(thrown)) throw error;
    messages.push(messageOf(error).slice(0, MESSAGE_CHARACTERS_MAX));
  }
  return {
    ok: messages.length === 0,
    messages: messages.slice(0, CHECK_MESSAGES_MAX),
    ...(thrown === undefined ? {} : { thrown }),
  };
}

function* checkWhole(database: Database.Database, pragma: string): Generator<unknown> {
  yield* database.prepare(`PRAGMA main.${pragma}(${CHECK_MESSAGES_MAX})`).pluck().iterate();
}

/**
 * Runs `quick_check` or `integrity_check` on an open connection, inside its transaction where it has one.
 * A check that dies half-way of damage keeps what it had said by then.
 * @throws what SQLite throws for reasons other than damage: locks, input/output, rights
 */
export function checkConnection(database: Database.Database, level: CheckLevel): ConnectionCheck {
  const pragma = level === 'full' ? 'integrity_check' : 'quick_check';
  try {
    return collect(checkWhole(database, pragma));
  } catch (error) {
    if (!isForeignDefinition(error)) throw error;
    return collect(checkTableByTable(database, pragma));
  }
}

/** Of a failed check; without a code the check ran to its end. */
function outcomeOf(code: string | undefined, path: string): CheckOutcome {
  if (code === 'SQLITE_NOTADB') return looksEncrypted(path) ? 'encrypted' : 'corrupt';
  if (code === undefined || isCorruptionCode(code)) return 'corrupt';
  return isBusyCode(code) ? 'busy' : 'unreadable';
}

function failed(level: CheckLevel, path: string, error: unknown): DatabaseCheckResult {
  const thrown = systemCode(error) ?? 'unknown';
  const messages = [messageOf(error).slice(0, MESSAGE_CHARACTERS_MAX)];
  return { ok: false, level, outcome: outcomeOf(thrown, path), messages, thrown };
}

function checkAndClose(database: Database.Database, level: CheckLevel): ConnectionCheck {
  try {
    // A mapped file that is cut short kills the process instead of failing the read.
    database.pragma('mmap_size = 0');
    readWithoutTrust(database);
    return checkConnection(database, level);
  } finally {
    database.close();
  }
}

/**
 * Checks the database at `path`, a file that the caller may open by its own name: opening replays or discards
 * a journal, and closing may checkpoint a WAL. The state of the database is the result, never an exception.
 */
export function checkDatabase(
  path: string,
  level: CheckLevel,
  options: CheckOptions = {},
): DatabaseCheckResult {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    return { ok: false, level, outcome: 'missing', messages: ['no such file'] };
  }
  try {
    const database = new Database(path, {
      readonly: options.readonly ?? false,
      fileMustExist: true,
      timeout: options.timeoutMs ?? BUSY_TIMEOUT_MS,
    });
    const check = checkAndClose(database, level);
    return { ...check, level, outcome: check.ok ? 'ok' : outcomeOf(check.thrown, path) };
  } catch (error) {
    return failed(level, path, error);
  }
}
