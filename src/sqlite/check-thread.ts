import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { messageOf, systemCode } from '../kernel/errors.ts';
import type { CheckBegun, CheckEnd, CheckJob } from './check-beside.ts';
import { type ConnectionCheck, checkConnection } from './database-check.ts';
import { checkUnlocked } from './unlocked-check.ts';
import { readWithoutTrust } from './without-trust.ts';

/** A thread of a worker process that checks one database on a connection of its own, and ends. */
const { path, level, way } = workerData as CheckJob;

function report(end: CheckEnd): void {
  parentPort?.postMessage(end);
  parentPort?.close();
}

function guarded(run: () => ConnectionCheck | null): CheckEnd {
  try {
    return { kind: 'end', result: run() };
  } catch (error) {
    return { kind: 'failed', code: systemCode(error) ?? null, message: messageOf(error) };
  }
}

/** In a transaction begun now, which the caller compares with its own before it lets the check begin. */
function checkBeside(): void {
  let connection: Database.Database;
  try {
    connection = new Database(path, { readonly: true, fileMustExist: true, timeout: 0 });
    connection.pragma('mmap_size = 0');
    connection.pragma('query_only = ON');
    readWithoutTrust(connection);
    connection.exec('BEGIN');
    connection.pragma('schema_version');
  } catch {
    // Whatever stands in the way, the caller's own connection has passed it.
    report({ kind: 'end', result: null });
    return;
  }
  parentPort?.postMessage({ kind: 'begun' } satisfies CheckBegun);
  parentPort?.once('message', (isSame: boolean) => {
    const end = guarded(() => (isSame ? checkConnection(connection, level) : null));
    connection.close();
    report(end);
  });
}

if (way === 'unlocked') report(guarded(() => checkUnlocked(path, level)));
else checkBeside();
