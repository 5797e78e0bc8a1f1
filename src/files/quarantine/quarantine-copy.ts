import { readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Activity } from '../../kernel/activity.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { cannot } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { copyDurably } from '../copy-durably.ts';
import { makeDirectory, renameDurably, writeFileDurably } from '../durable.ts';
import { identify } from '../entry-identity.ts';
import { familyMembers } from '../family-members.ts';
import {
  type QuarantineMember,
  type QuarantineRecord,
  quarantineHome,
  quarantinePath,
  RECORD_NAME,
  recordText,
} from './quarantine-records.ts';

/** Name of a copy that is still being made. */
const PARTIAL_PREFIX = '.partial-';

export interface FamilyCopyRequest {
  readonly stateDirectory: string;
  /** The database's main file. */
  readonly target: string;
  readonly reason: 'restore' | 'recovery';
  readonly jobId: string | null;
  readonly sourceId: string | null;
  readonly note: string;
}

/**
 * Copies a database and its sidecars as they are, before anything opens them. The caller's process must hold no
 * SQLite connection on the database: closing the descriptors read here would drop its locks.
 * @throws SOURCE_MISSING when nothing of the family exists
 */
export async function quarantineFamilyByCopy(
  request: FamilyCopyRequest,
  clock: Clock,
  activity: Activity,
): Promise<QuarantineRecord> {
  const { stateDirectory, target, ...about } = request;
  const id = newId(clock.nowMs());
  const home = quarantineHome(stateDirectory);
  const partial = join(home, `${PARTIAL_PREFIX}${id}`);
  await makeDirectory(join(partial, '0'));
  const members: QuarantineMember[] = [];
  for (const path of familyMembers(target)) {
    if ((await identify(path)) === null) continue;
    const name = basename(path);
    const copied = await copyDurably(path, join(partial, '0', name), activity);
    members.push({ name, ...copied, stored: `0/${name}` });
  }
  if (members.length === 0) {
    await rm(partial, { recursive: true, force: true });
    throw cannot('SOURCE_MISSING', 'quarantine', target, 'nothing stands there');
  }
  const record: QuarantineRecord = {
    id,
    at: isoTime(clock.nowMs()),
    ...about,
    bytes: members.reduce((sum, { bytes }) => sum + bytes, 0),
    items: [{ target, members }],
  };
  await writeFileDurably(join(partial, RECORD_NAME), recordText(record));
  await renameDurably(partial, quarantinePath(stateDirectory, id));
  return record;
}

/** Removes what copies that were cut short left behind; only while no other process copies. */
export async function removePartialQuarantine(stateDirectory: string): Promise<void> {
  const home = quarantineHome(stateDirectory);
  const names = await readdir(home).catch(() => []);
  for (const name of names.filter((each) => each.startsWith(PARTIAL_PREFIX))) {
    await rm(join(home, name), { recursive: true, force: true });
  }
}
