import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import Database from 'better-sqlite3';
import { readFacts } from '../../artifacts/portable/database-facts.ts';
import {
  type ArtifactManifest,
  type PayloadFormat,
  sealManifest,
} from '../../artifacts/portable/manifest.ts';
import { objectionsToFile, requireSane } from '../../artifacts/portable/sanity.ts';
import { compareDatabases } from '../../artifacts/sql/compare-databases.ts';
import { dumpSql } from '../../artifacts/sql/dump-sql.ts';
import { loadSql } from '../../artifacts/sql/load-sql.ts';
import { exportTables } from '../../artifacts/tables/export-tables.ts';
import { importNewDatabase } from '../../artifacts/tables/import-tables.ts';
import { syncFile } from '../../files/durable.ts';
import { isoTime } from '../../kernel/clock.ts';
import { cannot } from '../../kernel/errors.ts';
import type { OperationContext } from '../operation.ts';
import { TOOL_VERSION } from '../version.ts';
import { signerOf } from './keys.ts';
import type { ArtifactSubject } from './subject.ts';

/** A payload and its manifest, made in scratch and proven to come back, and not yet anywhere else. */
export interface SealedArtifact {
  readonly payloadPath: string;
  readonly manifest: ArtifactManifest;
  readonly manifestText: string;
}

/** Lends a connection to a database that nobody else has, inside one read transaction. */
async function reading<T>(
  path: string,
  use: (database: Database.Database) => Promise<T>,
): Promise<T> {
  const database = new Database(path, { readonly: true, fileMustExist: true });
  try {
    database.pragma('trusted_schema = OFF');
    database.pragma('cell_size_check = ON');
    database.exec('BEGIN');
    return await use(database);
  } finally {
    database.close();
  }
}

async function writeText(pieces: AsyncIterable<string>, to: string): Promise<void> {
  const handle = await open(to, 'wx', 0o600);
  try {
    for await (const piece of pieces) await handle.writeFile(piece);
    await syncFile(handle, to);
  } finally {
    await handle.close();
  }
}

/** Builds a database from a payload of text in a new file; one that is a database needs no building. */
export async function buildDatabase(
  format: PayloadFormat,
  payloadPath: string,
  to: string,
  { activity }: Pick<OperationContext, 'activity'>,
): Promise<void> {
  if (format === 'sqlite-file') return;
  const input = createReadStream(payloadPath);
  try {
    if (format === 'sqldump') await loadSql(input, to, { activity });
    else await importNewDatabase(input, to, { activity });
  } finally {
    input.destroy();
  }
}

/** Rows alone say nothing of how a file is laid out, and nothing is lost by that. */
const LAYOUT = /^(?:pageBytes|autoVacuum) is /;

/** A payload of text is loaded again before it counts. @throws VERIFY_FAILED */
async function proveText(
  format: PayloadFormat,
  { path, database }: ArtifactSubject,
  payloadPath: string,
  context: OperationContext,
): Promise<void> {
  const { activity } = context;
  activity.progress({ phase: 'load it again', currentFile: database });
  const again = `${payloadPath}.again`;
  await buildDatabase(format, payloadPath, again, context);
  const all = await reading(path, (left) =>
    reading(again, (right) => compareDatabases(left, right, activity)),
  );
  const differences = all.filter((each) => format === 'sqldump' || !LAYOUT.test(each));
  if (differences.length > 0) {
    throw cannot('VERIFY_FAILED', `make ${format} of`, database, differences[0]!, {
      hint: 'It would not give the same database again. Use the format sqlite-file.',
      details: { differences },
    });
  }
  await rm(again, { force: true });
}

async function writePayload(
  format: PayloadFormat,
  { path, database }: ArtifactSubject,
  { activity }: OperationContext,
): Promise<string> {
  if (format === 'sqlite-file') return path;
  const payloadPath = `${path}.${format}`;
  activity.progress({ phase: 'write payload', currentFile: database });
  await reading(path, (connection) => {
    const databaseName = database.slice(database.lastIndexOf('/') + 1);
    const pieces =
      format === 'sqldump'
        ? dumpSql(connection, { activity })
        : exportTables(connection, { tables: null, plain: false, databaseName, activity });
    return writeText(pieces, payloadPath);
  });
  return payloadPath;
}

async function hashOf(
  path: string,
  { activity }: OperationContext,
): Promise<{ checksum: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const block of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    activity.signal.throwIfAborted();
    hash.update(block as Buffer);
    bytes += (block as Buffer).length;
  }
  return { checksum: `sha256:${hash.digest('hex')}`, bytes };
}

/**
 * The payload of a subject, proven to come back, and the manifest that describes and signs it.
 * @throws SANITY_FAILED, VERIFY_FAILED, NOT_FOUND and CONFIG_INVALID for the signing key
 */
export async function sealArtifact(
  context: OperationContext,
  subject: ArtifactSubject,
  payloadFormat: PayloadFormat,
  secretsIn?: string,
): Promise<SealedArtifact> {
  const { settings, activity, clock } = context;
  const sign = await signerOf(settings, secretsIn);
  activity.progress({ phase: 'look at database', currentFile: subject.database });
  requireSane(subject.database, objectionsToFile(subject.path));
  const known = readFacts(subject.path, subject.settings, (message) => activity.warn(message));
  const payloadPath = await writePayload(payloadFormat, subject, context);
  if (payloadFormat !== 'sqlite-file') {
    await proveText(payloadFormat, subject, payloadPath, context);
  }
  const { manifest, text } = sealManifest(
    {
      format: 1,
      kind: 'sqlite.database',
      payloadFormat,
      ...(await hashOf(payloadPath, context)),
      ...known,
      toolVersion: TOOL_VERSION,
      createdAt: isoTime(clock.nowMs()),
      capturedAt: subject.capturedAt,
      source: subject.source === null ? null : { id: subject.source.id, name: subject.source.name },
      snapshotId: subject.snapshotId,
      database: subject.database,
    },
    sign,
  );
  return { payloadPath, manifest, manifestText: text };
}
