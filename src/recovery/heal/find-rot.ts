import type { Activity } from '../../kernel/activity.ts';
import { shortId } from '../../kernel/ids.ts';
import { statFamily } from '../../sqlite/family.ts';
import type { PageSource } from '../../sqlite/format/page-source.ts';
import type { DatabaseSnapshot, SnapshotDatabases } from '../snapshot-databases.ts';
import { openFamilyPages } from './differing-pages.ts';
import { unwrittenSnapshots } from './fence.ts';

/** The number of the first page that is not as the snapshot has it; null when there is none. */
async function firstDifference(
  source: PageSource,
  snapshot: DatabaseSnapshot,
  snapshots: SnapshotDatabases,
  activity: Activity,
): Promise<number | null> {
  const { content } = await snapshots.entryOf(snapshot);
  let page = 0;
  // Chunks hold whole pages, of every size.
  for await (const chunk of snapshots.reader.readContent(content)) {
    activity.signal.throwIfAborted();
    for (let at = 0; at < chunk.length; at += source.pageBytes) {
      page += 1;
      const expected = chunk.subarray(at, at + source.pageBytes);
      if (source.read(page)?.equals(expected) !== true) return page;
    }
  }
  return null;
}

/**
 * Damage that no check of SQLite sees: the database was not written since a snapshot, and yet differs from it. Reads
 * all of the database and of the snapshot. Nobody, and no connection of this process, may have it open.
 * @returns what was found, in words; null when it is as the snapshot has it, or no snapshot can tell
 */
export async function findRot(
  path: string,
  snapshots: SnapshotDatabases,
  activity: Activity,
): Promise<string | null> {
  const stat = await statFamily(path);
  const [snapshot] = await unwrittenSnapshots(path, stat, snapshots.soundOnes(path));
  if (snapshot === undefined) return null;
  const { pageBytes } = snapshot.database;
  const source = openFamilyPages(path, { pageBytes });
  try {
    const page = await firstDifference(source, snapshot, snapshots, activity);
    if (page === null) return null;
    return `page ${page} differs from its snapshot ${shortId(snapshot.id)} although nothing was written`;
  } finally {
    source.close();
  }
}
