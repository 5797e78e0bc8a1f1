import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { systemCode } from '../../kernel/errors.ts';
import { identify } from '../entry-identity.ts';
import {
  type QuarantineItem,
  type QuarantineMember,
  type QuarantineRecord,
  quarantinePath,
} from '../quarantine/quarantine.ts';
import type { SwapJournal, SwapMember } from './journal.ts';
import { DISPLACED_FOLDER, storedPath } from './names.ts';

function keptMember(stored: string, { path, before, copy }: SwapMember): QuarantineMember {
  return {
    name: basename(path),
    bytes: copy?.bytes ?? before?.bytes ?? 0,
    ...(copy === undefined ? {} : { sha256: copy.sha256 }),
    stored,
  };
}

function keptItems(journal: SwapJournal): QuarantineItem[] {
  return journal.items
    .map((item) => ({
      target: item.target,
      members: item.members
        .filter(({ before }) => before !== null)
        .map((member) => keptMember(storedPath(item, member), member)),
    }))
    .filter(({ members }) => members.length > 0);
}

/** What was found where nothing of the kind had been left: `<item>-<member>` or `<item>-<member>-<count>`. */
async function displacedItems(
  stateDirectory: string,
  journal: SwapJournal,
): Promise<QuarantineItem[]> {
  const folder = join(quarantinePath(stateDirectory, journal.id), DISPLACED_FOLDER);
  const names = await readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  const items: QuarantineItem[] = [];
  for (const name of names.sort()) {
    const [item = -1, member = -1] = name.split('-').map(Number);
    const path = journal.items[item]?.members[member]?.path;
    const identity = await identify(join(folder, name));
    if (path === undefined || identity === null) continue;
    const stored = `${DISPLACED_FOLDER}/${name}`;
    items.push({
      target: path,
      members: [{ name: `${basename(path)}.found-${name}`, bytes: identity.bytes, stored }],
    });
  }
  return items;
}

/**
 * The record of what a swap keeps: the originals (unless it was undone) and whatever was found in between.
 * Null when there is nothing.
 */
export async function quarantineRecordOf(
  stateDirectory: string,
  journal: SwapJournal,
  undone = false,
): Promise<QuarantineRecord | null> {
  const displaced = await displacedItems(stateDirectory, journal);
  const items = [...(undone ? [] : keptItems(journal)), ...displaced];
  if (items.length === 0) return null;
  const { id, reason, jobId, sourceId, note } = journal;
  return {
    id,
    at: journal.startedAt,
    reason,
    jobId,
    sourceId,
    note: undone ? `found in place when this was undone: ${note}` : note,
    bytes: items.flatMap(({ members }) => members).reduce((sum, { bytes }) => sum + bytes, 0),
    items,
  };
}
