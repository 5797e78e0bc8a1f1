import { basename, dirname, join } from 'node:path';
import { copyDurably } from '../files/copy-durably.ts';
import { makeDirectory } from '../files/durable.ts';
import {
  quarantinePath,
  readQuarantine,
  writeQuarantineRecord,
} from '../files/quarantine/quarantine.ts';
import type { Activity } from '../kernel/activity.ts';
import type { ChosenCandidate } from './choose-candidate.ts';
import { bytesOf } from './family-copies.ts';
import type { RecoveryReport } from './report.ts';
import { REJECTS_NAME } from './salvage/salvage-database.ts';

const FOLDER = 'rejects';

/**
 * Keeps the rows that salvage found and put into no table, beside the family that they come from: one JSON line each,
 * 64 MiB at most. They are a member of the quarantined family, and go with it.
 * @returns null where there are none
 */
export async function keepRejects(
  stateDirectory: string,
  quarantineId: string,
  chosen: ChosenCandidate,
  activity: Activity,
): Promise<NonNullable<RecoveryReport['rejects']> | null> {
  if (chosen.salvage === null) return null;
  const made = join(dirname(chosen.path), REJECTS_NAME);
  if (((await bytesOf(made)) ?? 0) === 0) return null;
  const record = await readQuarantine(stateDirectory, quarantineId);
  const [first, ...others] = record.items;
  if (first === undefined) return null;
  const name = `${basename(first.target)}.${REJECTS_NAME}`;
  const stored = `${FOLDER}/${name}`;
  const file = join(quarantinePath(stateDirectory, quarantineId), stored);
  await makeDirectory(dirname(file), 0o700);
  const copied = await copyDurably(made, file, activity);
  const members = [...first.members, { name, ...copied, stored }];
  const items = [{ ...first, members }, ...others];
  const bytes = record.bytes + copied.bytes;
  await writeQuarantineRecord(stateDirectory, { ...record, bytes, items });
  return { file, bytes: copied.bytes };
}
