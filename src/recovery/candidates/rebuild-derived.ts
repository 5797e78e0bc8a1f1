import { rename } from 'node:fs/promises';
import type { Activity } from '../../kernel/activity.ts';
import { cannot } from '../../kernel/errors.ts';
import { checkConnection } from '../../sqlite/database-check.ts';
import { emptyBtreeRoots, forgetFreelist } from '../../sqlite/empty-btree-root.ts';
import { type Damage, readDamage, readSchema, type SchemaObject } from '../damage.ts';
import { countDoubtfulRows } from './lost-rows.ts';
import { openCopy } from './settle.ts';

/** A check stops at a hundred findings, so that what it names is rebuilt in rounds. */
const ROUNDS_MAX = 8;

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const WITHOUT_ROWID = /\bwithout\s+rowid\b[^)]*$/i;

/** What a tree is made of: WITHOUT ROWID tables are kept as indexes are. */
export function treeKind({ type, sql }: SchemaObject): 'index' | 'table' {
  return type === 'index' || WITHOUT_ROWID.test(sql ?? '') ? 'index' : 'table';
}

function inspect(path: string): { sound: boolean; damage: Damage } {
  const database = openCopy(path);
  try {
    const { messages } = checkConnection(database, 'full');
    const damage = readDamage(messages, readSchema(database));
    const { brokenTrees, indexes, fullText, freelist, space, lasting } = damage;
    const found = brokenTrees.length + indexes.size + fullText.size + lasting.length;
    return { sound: found === 0 && !freelist && !space, damage };
  } finally {
    database.close();
  }
}

/** Edits below SQL: what SQLite cannot read, it cannot rebuild. */
function clearUnreadable(path: string, { brokenTrees, freelist }: Damage): boolean {
  if (brokenTrees.length > 0) {
    emptyBtreeRoots(
      path,
      brokenTrees.map((tree) => ({ rootPage: tree.rootPage, kind: treeKind(tree) })),
    );
  }
  if (freelist) forgetFreelist(path);
  return brokenTrees.length > 0 || freelist;
}

function rebuild(path: string, { indexes, fullText }: Damage, activity: Activity): void {
  const database = openCopy(path);
  try {
    for (const index of indexes) {
      activity.signal.throwIfAborted();
      database.exec(`REINDEX main.${quoted(index)}`);
    }
    for (const table of fullText) {
      activity.signal.throwIfAborted();
      database.exec(`INSERT INTO main.${quoted(table)}(${quoted(table)}) VALUES('rebuild')`);
    }
  } finally {
    database.close();
  }
}

/** Copies every row and index to a new file, leaving behind the pages that belong to nobody. */
async function compact(path: string): Promise<void> {
  const compacted = `${path}.compacted`;
  const database = openCopy(path);
  try {
    database.prepare('VACUUM main INTO ?').run(compacted);
  } finally {
    database.close();
  }
  await rename(compacted, path);
}

/**
 * Rebuilds, in a private file without WAL or journal, everything that can be derived from sound tables: indexes,
 * full-text indexes, the freelist. Tables are not touched, except that VACUUM copies them where pages leaked.
 * Returns the number of rows that the file may have held beyond what its tables show: they are given up.
 * @throws RECOVERY_FAILED when tables, the schema or the file itself are damaged; what SQLite throws
 */
export async function rebuildDerived(path: string, activity: Activity): Promise<number> {
  let doubtfulRows = 0;
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    activity.signal.throwIfAborted();
    const { sound, damage } = inspect(path);
    if (sound) return doubtfulRows;
    if (damage.lasting.length > 0) {
      throw cannot('RECOVERY_FAILED', 'rebuild indexes of', path, damage.lasting.join('; '));
    }
    // Later rounds find what this one leaves behind.
    if (round === 0) doubtfulRows = countDoubtfulRows(path, damage);
    const leaked = clearUnreadable(path, damage);
    rebuild(path, damage, activity);
    if (!leaked && damage.space) await compact(path);
  }
  throw cannot('RECOVERY_FAILED', 'rebuild indexes of', path, `unsound after ${ROUNDS_MAX} rounds`);
}
