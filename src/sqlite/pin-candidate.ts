import { closeSync, fstatSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, sleep } from '../kernel/clock.ts';
import { cannot, type HoldfastError, messageOf, systemCode } from '../kernel/errors.ts';
import { copyFamily } from './copy-family.ts';
import { isBusyCode, isCorruptionCode } from './database-check.ts';
import { DatabaseImage } from './database-image.ts';
import { findDatabaseUsers } from './database-users.ts';
import { type FamilyStat, sameFamilyContent, statFamily } from './family.ts';
import { HEADER_BYTES, parseHeader } from './header.ts';
import { attemptsAfter, RETRY_DELAY_MS, tryToPin } from './pin-attempts.ts';
import { PinConnection } from './pin-connection.ts';
import { choosePinMethod, type PinMethod } from './pin-method.ts';
import { openForReading, readAt } from './read-at.ts';

export interface PinOptions {
  /** Where families that cannot be read in place are copied to. It must exist. */
  readonly scratchDirectory: string;
  /** How long another process may keep a database locked. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A database opened and read once without trouble, but not pinned yet; or one that SQLite refuses. */
export type PinCandidate = ConnectedCandidate | PlainCandidate;

export interface ConnectedCandidate {
  readonly kind: 'connected';
  readonly path: string;
  readonly connection: PinConnection;
  /** Of the original, where the connection is on a copy. */
  readonly copiedFrom: FamilyStat | null;
  close(): Promise<void>;
}

export interface PlainCandidate {
  readonly kind: 'plain';
  readonly path: string;
  /** Why SQLite does not read it. */
  readonly failure: string;
  readonly headerBytes: Buffer;
  readonly image: DatabaseImage;
  readonly stat: FamilyStat;
  close(): Promise<void>;
}

/** Nobody else reads a copy: the first attempt opens its log, the second pins it. */
const COPY_ATTEMPTS = 10;

/** @throws BUSY (retryable), PATH_NOT_FOUND, and what the file system says */
export async function openCandidate(path: string, options: PinOptions): Promise<PinCandidate> {
  const { clock, signal } = options;
  const startedMs = clock.monotonicMs();
  let method = await choosePinMethod(path);
  for (;;) {
    signal.throwIfAborted();
    const waitedMs = clock.monotonicMs() - startedMs;
    try {
      const candidate = await openBy(method, path, options, attemptsAfter(waitedMs));
      if (candidate !== null) return candidate;
    } catch (error) {
      const next = await nextMethod(method, path, error);
      if (next !== null) {
        method = next;
        continue;
      }
    }
    if (waitedMs >= options.timeoutMs) throw await lockedError(path, options.timeoutMs);
    await sleep(clock, RETRY_DELAY_MS, signal);
    method = await choosePinMethod(path);
  }
}

/** @returns what to try instead; null: the same again, a little later */
async function nextMethod(
  method: PinMethod,
  path: string,
  error: unknown,
): Promise<PinMethod | null> {
  const code = systemCode(error);
  if (isBusyCode(code)) return null;
  if (isCorruptionCode(code)) return method === 'plain' ? null : 'plain';
  if ((await statFamily(path)).main === null) {
    throw cannot('PATH_NOT_FOUND', 'read database', path, 'it is gone', { cause: error });
  }
  // A journal to roll back, a log to recover, or -shm out of reach: on a copy all of that is allowed.
  const needsWriting = /^SQLITE_(READONLY|CANTOPEN)/.test(code ?? '');
  if (needsWriting && method !== 'copy' && method !== 'plain') return 'copy';
  throw error;
}

async function openBy(
  method: PinMethod,
  path: string,
  options: PinOptions,
  attempts: number,
): Promise<PinCandidate | null> {
  if (method === 'plain') return openPlain(path);
  if (method === 'copy') return openCopy(path, options);
  const connection = PinConnection.open(path, { readonly: method === 'readonly' });
  if (connection === null || !probe(connection, attempts)) return null;
  const close = async (): Promise<void> => connection.close();
  return { kind: 'connected', path, connection, copiedFrom: null, close };
}

/**
 * One read, so that what this database needs shows before others are pinned.
 * @returns false, the connection closed, while somebody has it locked
 */
function probe(connection: PinConnection, attempts: number): boolean {
  try {
    if (tryToPin(connection, attempts)) {
      connection.unpin();
      return true;
    }
  } catch (error) {
    connection.close();
    throw error;
  }
  connection.close();
  return false;
}

async function openCopy(path: string, options: PinOptions): Promise<PinCandidate | null> {
  const directory = await mkdtemp(join(options.scratchDirectory, 'family-'));
  const remove = (): Promise<void> => rm(directory, { recursive: true, force: true });
  try {
    const copy = await copyFamily(path, directory, options);
    const connection = PinConnection.open(copy.path, { readonly: false });
    if (connection === null) throw new Error(`Somebody replaced ${copy.path}`);
    if (!probe(connection, COPY_ATTEMPTS)) throw new Error(`Somebody locked ${copy.path}`);
    const close = async (): Promise<void> => {
      connection.close();
      await remove();
    };
    return { kind: 'connected', path, connection, copiedFrom: copy.stat, close };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function openPlain(path: string): Promise<PlainCandidate> {
  const stat = await statFamily(path);
  const descriptor = openForReading(path);
  const bytes = fstatSync(descriptor).size;
  const headerBytes = readAt(descriptor, 0, HEADER_BYTES);
  const pageBytes = parseHeader(headerBytes)?.pageBytes ?? 512;
  const pageCount = Math.ceil(bytes / pageBytes);
  let open = true;
  return {
    kind: 'plain',
    path,
    failure: plainFailure(bytes, headerBytes),
    headerBytes,
    image: new DatabaseImage({ main: descriptor, pageBytes, pageCount, bytes, wal: null }),
    stat,
    close: async () => {
      if (open) closeSync(descriptor);
      open = false;
    },
  };
}

function plainFailure(bytes: number, headerBytes: Buffer): string {
  if (bytes === 0) return 'the file is empty';
  return parseHeader(headerBytes) === null
    ? 'the file does not start with the header of a database'
    : 'SQLite refuses to read it: its header contradicts the file';
}

/** True when the original of a copy, or a plain file, was written since. */
export async function originalHasChanged(candidate: PinCandidate): Promise<boolean> {
  const stat = candidate.kind === 'plain' ? candidate.stat : candidate.copiedFrom;
  return stat !== null && !sameFamilyContent(stat, await statFamily(candidate.path));
}

export async function lockedError(path: string, timeoutMs: number): Promise<HoldfastError> {
  const users = await findDatabaseUsers(path).catch((error: unknown) => messageOf(error));
  return cannot('BUSY', 'read database', path, `it was locked for ${timeoutMs} ms`, {
    hint: 'Another process keeps it locked; try again when that is done.',
    retryable: true,
    details: { path, users },
  });
}
