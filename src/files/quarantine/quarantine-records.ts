import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { Activity } from '../../kernel/activity.ts';
import type { Clock } from '../../kernel/clock.ts';
import { cannot, messageOf, systemCode } from '../../kernel/errors.ts';
import { copyDurably } from '../copy-durably.ts';
import { makeDirectory, syncDirectory, writeFileDurably } from '../durable.ts';
import { identify } from '../entry-identity.ts';
import { isInside } from '../safe-path.ts';

/**
 * Where the originals of whatever a restore or a repair replaced are kept:
 *   <state>/quarantine/<id>/quarantine.json       the record; without it the folder belongs to an unfinished swap
 *   <state>/quarantine/<id>/<group>/<name>        one group per directory the originals came from
 */
export interface QuarantineMember {
  /** The file's own name, e.g. `app.db-wal`. */
  readonly name: string;
  readonly bytes: number;
  /** Of the copy, where one was made; an original that was moved is the original. */
  readonly sha256?: string;
  /** Below the quarantine's folder. */
  readonly stored: string;
}

export interface QuarantineItem {
  /** Absolute path the members stood at (a database's main file, for its family). */
  readonly target: string;
  readonly members: readonly QuarantineMember[];
}

export interface QuarantineRecord {
  readonly id: string;
  /** ISO UTC. */
  readonly at: string;
  readonly reason: 'restore' | 'recovery';
  readonly jobId: string | null;
  readonly sourceId: string | null;
  readonly note: string;
  readonly bytes: number;
  readonly items: readonly QuarantineItem[];
}

const ID = /^[0-9a-f-]{8,64}$/;
export const RECORD_NAME = 'quarantine.json';
const PURGED_PREFIX = '.purged-';

export const recordText = (record: QuarantineRecord): string =>
  `${JSON.stringify(record, null, 2)}\n`;

export const quarantineHome = (stateDirectory: string): string =>
  join(stateDirectory, 'quarantine');

export function quarantinePath(stateDirectory: string, id: string): string {
  if (!ID.test(id)) throw cannot('NOT_FOUND', 'open quarantine', id, 'this is no quarantine id');
  return join(quarantineHome(stateDirectory), id);
}

/** Makes a folder of the quarantine listed: the last step of putting something in it. */
export async function writeQuarantineRecord(
  stateDirectory: string,
  record: QuarantineRecord,
): Promise<void> {
  const directory = quarantinePath(stateDirectory, record.id);
  await makeDirectory(directory);
  await writeFileDurably(join(directory, RECORD_NAME), recordText(record));
}

/** Everything in quarantine, newest first. @throws IO_ERROR for a record that cannot be read */
export async function listQuarantine(stateDirectory: string): Promise<QuarantineRecord[]> {
  const names = await readdir(quarantineHome(stateDirectory)).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  const records: QuarantineRecord[] = [];
  for (const name of names.filter((each) => ID.test(each))) {
    const record = await findRecord(stateDirectory, name);
    if (record !== null) records.push(record);
  }
  return records.sort((left, right) => (left.id < right.id ? 1 : -1));
}

async function findRecord(stateDirectory: string, id: string): Promise<QuarantineRecord | null> {
  const path = join(quarantinePath(stateDirectory, id), RECORD_NAME);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  });
  if (text === null) return null;
  try {
    return JSON.parse(text) as QuarantineRecord;
  } catch (error) {
    throw cannot('IO_ERROR', 'read quarantine record', path, messageOf(error), {
      hint: 'The quarantined files beside it are untouched.',
      cause: error,
    });
  }
}

/** @throws NOT_FOUND */
export async function readQuarantine(
  stateDirectory: string,
  id: string,
): Promise<QuarantineRecord> {
  const record = await findRecord(stateDirectory, id);
  if (record !== null) return record;
  throw cannot('NOT_FOUND', 'open quarantine', id, 'nothing is kept under this id');
}

/** The deepest directory that holds all targets. */
function commonParent(items: readonly QuarantineItem[]): string {
  let common = dirname(items[0]!.target);
  for (const { target } of items) while (!isInside(target, common)) common = dirname(common);
  return common;
}

/**
 * Copies what is kept under `id` into `directory`, laid out as it stood below the common parent of its targets.
 * The quarantine keeps its copy. Returns the paths written.
 * @throws NOT_FOUND, TARGET_NOT_EMPTY when a name is taken, VERIFY_FAILED when a recorded hash does not match
 */
export async function restoreQuarantined(
  stateDirectory: string,
  id: string,
  directory: string,
  activity: Activity,
): Promise<string[]> {
  const record = await readQuarantine(stateDirectory, id);
  const parent = commonParent(record.items);
  const jobs = record.items.flatMap(({ target, members }) =>
    members.map((member) => ({
      member,
      to: join(directory, relative(parent, dirname(target)), member.name),
    })),
  );
  for (const { to } of jobs) {
    if ((await identify(to)) === null) continue;
    throw cannot('TARGET_NOT_EMPTY', 'bring back from quarantine', to, 'something stands there', {
      hint: 'Choose an empty directory.',
    });
  }
  const from = (stored: string): string =>
    join(quarantinePath(stateDirectory, id), ...stored.split('/'));
  let begun = 0;
  try {
    for (const { member, to } of jobs) {
      await makeDirectory(dirname(to));
      begun += 1;
      await bringBack(from(member.stored), member, to, activity);
    }
  } catch (error) {
    // All or nothing: what is half there would be taken for the whole, and stand in the way of the next try.
    for (const { to } of jobs.slice(0, begun)) {
      await rm(to, { recursive: true, force: true }).catch(() => {});
    }
    throw error;
  }
  return jobs.map(({ to }) => to);
}

async function bringBack(
  from: string,
  member: QuarantineMember,
  to: string,
  activity: Activity,
): Promise<void> {
  const { sha256 } = await copyDurably(from, to, activity);
  if (member.sha256 === undefined || member.sha256 === sha256) return;
  throw cannot('VERIFY_FAILED', 'bring back from quarantine', to, 'the kept copy has changed', {
    details: { expected: member.sha256, found: sha256 },
  });
}

/**
 * Removes one record, or all that are older. Returns the ids removed.
 * @throws NOT_FOUND for an id that is not listed
 */
export async function purgeQuarantine(
  stateDirectory: string,
  which: string | { readonly olderThanMs: number },
  clock: Clock,
): Promise<string[]> {
  const home = quarantineHome(stateDirectory);
  const records =
    typeof which === 'string'
      ? [await readQuarantine(stateDirectory, which)]
      : (await listQuarantine(stateDirectory)).filter(
          ({ at }) => clock.nowMs() - Date.parse(at) >= which.olderThanMs,
        );
  for (const { id } of records) {
    // Renamed first, so that a half-removed folder is never taken for a whole one.
    await rename(quarantinePath(stateDirectory, id), join(home, `${PURGED_PREFIX}${id}`));
    await syncDirectory(home);
  }
  const names = await readdir(home).catch(() => []);
  for (const name of names.filter((each) => each.startsWith(PURGED_PREFIX))) {
    await rm(join(home, name), { recursive: true, force: true });
  }
  return records.map(({ id }) => id);
}
