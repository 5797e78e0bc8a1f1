import { realpath } from 'node:fs/promises';
import Database from 'better-sqlite3';
import { z } from 'zod';
import { isInside } from '../files/safe-path.ts';
import { cannot, systemCode } from '../kernel/errors.ts';
import { statFamily } from '../sqlite/family.ts';
import { HEADER_BYTES, parseHeader } from '../sqlite/header.ts';
import { readStart } from '../sqlite/read-at.ts';
import { FRAME_HEADER_BYTES, WAL_HEADER_BYTES } from '../sqlite/wal.ts';
import type { Operation, OperationContext } from './operation.ts';

const parameters = z.strictObject({
  action: z.enum(['statistics', 'checkpoint', 'optimize']),
  /** Absolute, in a root of a source. */
  database: z.string().min(1),
  mode: z.enum(['passive', 'full', 'restart', 'truncate']).default('truncate'),
});

/** How long others' locks are waited for: an application must hardly notice. */
const BUSY_MS_MAX = 5_000;
/** Rows of each index that PRAGMA optimize looks at: bounds its time on large tables. */
const ANALYSIS_LIMIT = 1_000;

interface Checkpoint {
  /** 1 where readers or writers kept it from going all the way. */
  readonly busy: 0 | 1;
  /** Frames in the WAL; -1 where there is none. */
  readonly log: number;
  readonly checkpointed: number;
}

/** @throws NOT_FOUND for what is no database of a source, so that nothing else is ever opened */
async function ownDatabase({ settings }: OperationContext, database: string): Promise<string> {
  const path = await realpath(database).catch((error: unknown) => {
    if (systemCode(error) === undefined) throw error;
    throw cannot('NOT_FOUND', 'find database', database, 'there is no such file');
  });
  const isOwn = settings.sources.some(({ roots }) =>
    roots.some((root) => path !== root.path && isInside(path, root.path)),
  );
  const bytes = isOwn ? readStart(path, HEADER_BYTES) : null;
  if (bytes !== null && parseHeader(bytes) !== null) return path;
  const state = isOwn ? 'it is no SQLite database' : 'it lies in no root of any source';
  throw cannot('NOT_FOUND', 'look after database', database, state);
}

/** From the files alone: nothing is opened through SQLite, so nothing of the application's is touched. */
async function statisticsOf(path: string): Promise<Record<string, unknown>> {
  const { main, wal, journal } = await statFamily(path);
  const header = parseHeader(readStart(path, HEADER_BYTES) ?? Buffer.alloc(0));
  if (header === null || main === null) {
    throw cannot('BUSY', 'look at database', path, 'it changed meanwhile', { retryable: true });
  }
  const frameBytes = header.pageBytes + FRAME_HEADER_BYTES;
  const walBytes = wal?.bytes ?? 0;
  const walFramesMax = Math.max(0, Math.floor((walBytes - WAL_HEADER_BYTES) / frameBytes));
  return {
    bytes: main.bytes,
    pageBytes: header.pageBytes,
    pageCount: header.pageCount,
    journalMode: header.journalMode,
    encoding: header.encoding,
    userVersion: header.userVersion,
    applicationId: header.applicationId,
    walBytes,
    /** As many as there is room for; those of an earlier round are among them. */
    walFramesMax,
    journalBytes: journal?.bytes ?? 0,
  };
}

function withDatabase<T>(path: string, use: (database: Database.Database) => T): T {
  const database = new Database(path, { fileMustExist: true, timeout: BUSY_MS_MAX });
  try {
    database.pragma('trusted_schema = OFF');
    return use(database);
  } finally {
    database.close();
  }
}

function checkpoint(path: string, mode: string): Record<string, unknown> {
  return withDatabase(path, (database) => {
    const journalMode = database.pragma('journal_mode', { simple: true });
    if (journalMode !== 'wal') return { journalMode, busy: false, frames: 0, checkpointed: 0 };
    const [outcome] = database.pragma(`wal_checkpoint(${mode.toUpperCase()})`) as [Checkpoint];
    const { busy, log, checkpointed } = outcome;
    return { journalMode, busy: busy === 1, frames: log, checkpointed };
  });
}

function optimize(path: string): Record<string, unknown> {
  return withDatabase(path, (database) => {
    database.pragma(`analysis_limit = ${ANALYSIS_LIMIT}`);
    database.pragma('optimize');
    return { optimized: true };
  });
}

/** Looks after one database because an operator asks for it by name. The only job that writes to one without replacing it. */
export const maintain: Operation<z.infer<typeof parameters>> = {
  kind: 'maintain',
  params: parameters,
  async run(context, { action, database, mode }) {
    const path = await ownDatabase(context, database);
    const startedMs = context.clock.monotonicMs();
    const result = await perform(action, path, mode);
    const durationMs = Math.round(context.clock.monotonicMs() - startedMs);
    return { action, database: path, durationMs, ...result };
  },
};

async function perform(
  action: z.infer<typeof parameters>['action'],
  path: string,
  mode: string,
): Promise<Record<string, unknown>> {
  switch (action) {
    case 'statistics':
      return statisticsOf(path);
    case 'checkpoint':
      return checkpoint(path, mode);
    case 'optimize':
      return optimize(path);
  }
}
