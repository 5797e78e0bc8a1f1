import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, systemCode } from '../kernel/errors.ts';
import { describedLayout } from '../store/format/read-descriptor.ts';

/** What is always there, or says nothing of work that was interrupted. */
const HARMLESS =
  /^(state\.db(-wal|-shm)?|instance\.lock(\.holder|-journal)?|settings\.json|clean-shutdown\.json|checks\.json|daemon\.log|recovery)$/;
const QUARANTINE = 'quarantine';
/** Of a quarantine that was being made. */
const PARTIAL = /^\.partial-/;

export interface OwnDirectories {
  readonly stateDirectory: string;
  readonly repositoryDirectory: string;
}

/**
 * False where nothing that an interrupted job leaves behind can be there, from names and times alone: every place
 * of work is empty, and nobody has touched the repository since `endedAtMs`, when a daemon ended in order. What is
 * not known here counts as left behind: whoever puts it in order then has a look.
 */
export async function mayHaveLeftBehind(own: OwnDirectories, endedAtMs: number): Promise<boolean> {
  const { stateDirectory, repositoryDirectory } = own;
  for (const entry of await readdir(stateDirectory, { withFileTypes: true })) {
    if (HARMLESS.test(entry.name)) continue;
    if (join(stateDirectory, entry.name) === repositoryDirectory) continue;
    if (!(await isIdle(stateDirectory, entry))) return true;
  }
  return wasTouched(repositoryDirectory, endedAtMs);
}

async function isIdle(parent: string, entry: Dirent): Promise<boolean> {
  if (!entry.isDirectory()) return false;
  const names = await readdir(join(parent, entry.name));
  return entry.name === QUARANTINE ? !names.some((name) => PARTIAL.test(name)) : names.length === 0;
}

/** Whether names came or went in the folders that make it up, or its catalog was changed or is not there. */
async function wasTouched(repositoryDirectory: string, sinceMs: number): Promise<boolean> {
  try {
    const { layout } = await describedLayout(repositoryDirectory);
    const { root, descriptor, catalog, packs, snapshots, notes, removed, temporary } = layout;
    if ((await readdir(temporary)).length > 0) return true;
    const groups = (await readdir(packs)).map((name) => join(packs, name));
    for (const path of [descriptor, catalog, root, packs, snapshots, notes, removed, ...groups]) {
      if ((await stat(path)).ctimeMs > sinceMs) return true;
    }
    return false;
  } catch (error) {
    if (error instanceof HoldfastError || systemCode(error) === 'ENOENT') return true;
    throw error;
  }
}
