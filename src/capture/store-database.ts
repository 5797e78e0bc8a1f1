import { isoTime } from '../kernel/clock.ts';
import { messageOf, systemCode } from '../kernel/errors.ts';
import { type ConnectionCheck, checkConnection } from '../sqlite/database-check.ts';
import type { DatabaseHeader } from '../sqlite/header.ts';
import type { PinnedDatabase } from '../sqlite/pinned-read.ts';
import type {
  DatabaseCheck,
  ManifestDatabase,
  ManifestReading,
} from '../store/manifests/manifest.ts';
import type { CapturedDatabase, DatabaseContext } from './database-task.ts';
import type { PinnedTask } from './pinned-task.ts';
import type { ReadAhead } from './read-ahead.ts';
import { type ReadImage, readImage, scanImage } from './read-image.ts';
import { rollbackState } from './rollback-state.ts';

/** Stores and checks one pinned database. A damaged one is stored too, as evidence, with what is wrong with it. */
export async function storeDatabase(
  pinned: PinnedDatabase,
  task: PinnedTask,
  ahead: ReadAhead | null,
  context: DatabaseContext,
): Promise<CapturedDatabase> {
  const { report } = context;
  const header = await pinned.readHeader();
  const isCurrent =
    ahead !== null &&
    pinned.method === 'pinned' &&
    pinned.journalMode === 'rollback' &&
    (await rollbackState(pinned.path, header)) === ahead.state;
  const current = isCurrent ? ahead : null;
  const checking = current?.check ? null : beginCheck(pinned, context);
  let image: ReadImage;
  let check: DatabaseCheck;
  try {
    image = isCurrent
      ? { content: ahead.content, reading: undefined, isPartial: false }
      : await readImage(pinned, task, context);
    task.patience.assertBearable();
    check = current?.check ?? (await checkPinned(pinned, checking!, context));
  } finally {
    // Its transaction is on what is pinned here.
    await checking?.beside?.catch(() => {});
  }
  if (!check.ok) {
    report.warn(`${task.found.logicalPath} is damaged: ${check.messages[0] ?? 'its check failed'}`);
    // Evidence is what stands there, not what stood there before.
    if (image.isPartial) image = await scanImage(pinned, task, context, true);
  }
  const record = databaseRecord(pinned, header, task, check, image.reading);
  return { content: image.content, record };
}

interface BegunCheck {
  readonly startedMs: number;
  /** Under way while pages are read; null where the check begins when they were. */
  readonly beside: Promise<ConnectionCheck | null> | null;
}

function beginCheck(pinned: PinnedDatabase, { clock, checkLevel }: DatabaseContext): BegunCheck {
  const beside = pinned.checkBeside(checkLevel);
  // Its failure is told when it is waited for.
  beside?.catch(() => {});
  return { startedMs: clock.monotonicMs(), beside };
}

async function checkPinned(
  pinned: PinnedDatabase,
  { startedMs: begunMs, beside }: BegunCheck,
  { clock, checkLevel: level }: DatabaseContext,
): Promise<DatabaseCheck> {
  const startedMs = beside === null ? clock.monotonicMs() : begunMs;
  const messages: string[] = [];
  if (pinned.failure !== null) messages.push(pinned.failure);
  if (pinned.image.fault !== null) messages.push(pinned.image.fault);
  try {
    const result =
      (await beside) ?? pinned.withConnection((database) => checkConnection(database, level));
    messages.push(...(result?.messages ?? []));
    if (result !== null && !result.ok && messages.length === 0) messages.push('its check failed');
  } catch (error) {
    // One database that cannot be checked must not cost the snapshot of everything else.
    if (systemCode(error)?.startsWith('SQLITE_') !== true) throw error;
    messages.push(messageOf(error));
  }
  return {
    level,
    ok: messages.length === 0,
    messages,
    durationMs: Math.round(clock.monotonicMs() - startedMs),
    at: isoTime(clock.nowMs()),
  };
}

function databaseRecord(
  pinned: PinnedDatabase,
  header: DatabaseHeader | null,
  task: PinnedTask,
  check: DatabaseCheck,
  reading: ManifestReading | undefined,
): ManifestDatabase {
  const logGrowth = task.patience.growthOf(pinned);
  return {
    path: task.found.logicalPath,
    journalMode: header?.journalMode ?? pinned.journalMode,
    pageBytes: pinned.pageBytes,
    pageCount: pinned.pageCount,
    encoding: header?.encoding ?? 'UTF-8',
    autoVacuum: header?.autoVacuum ?? false,
    userVersion: header?.userVersion ?? 0,
    applicationId: header?.applicationId ?? 0,
    schemaCookie: header?.schemaCookie ?? 0,
    changeCounter: header?.changeCounter ?? 0,
    walBytes: pinned.walBytes,
    fingerprint: task.fingerprint,
    check,
    method: pinned.method,
    ...(reading === undefined ? {} : { reading }),
    ...(logGrowth === undefined ? {} : { logGrowth }),
  };
}
