import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join, parse, relative, sep } from 'node:path';
import { systemCode } from '../kernel/errors.ts';
import {
  makeDirectory,
  removeDurably,
  syncDirectory,
  TEMPORARY_NAME,
  writeFileDurably,
} from './durable.ts';
import { identify } from './entry-identity.ts';
import { type Mount, mountOf } from './mounts.ts';
import { isInside, nearestExisting } from './safe-path.ts';
import { hasUnfinishedSwaps } from './swap/journal.ts';

/** Name of a staging directory that had to stand outside the state directory. Captures leave it out. */
export const STAGING_NAME = /^\.holdfast-staging-[0-9a-f]{16}$/;

const stagingHome = (stateDirectory: string): string => join(stateDirectory, 'staging');

async function isWritable(directory: string): Promise<boolean> {
  return access(directory, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Directories from the mount point down to `directory`, both included; the root of the system is left out. */
function levelsDownTo(directory: string, mount: Mount): string[] {
  const top = mount.point ?? parse(directory).root;
  const levels = [top];
  for (const component of relative(top, directory).split(sep).filter(Boolean)) {
    levels.push(join(levels.at(-1)!, component));
  }
  return levels.filter((level) => level !== parse(level).root);
}

/**
 * The directory that holds the staging of `target`, on the target's mount: the state directory where that is on
 * the same mount; else the topmost writable directory outside `forbidden`; else the target's own parent.
 */
export async function stagingParent(
  target: string,
  forbidden: readonly string[],
  stateDirectory: string,
): Promise<string> {
  const nearest = await nearestExisting(dirname(target));
  const mount = await mountOf(nearest);
  const home = stagingHome(stateDirectory);
  await makeDirectory(home);
  if ((await mountOf(home)).id === mount.id) return home;
  for (const level of levelsDownTo(nearest, mount)) {
    if (forbidden.some((path) => isInside(level, path))) continue;
    if ((await mountOf(level)).id === mount.id && (await isWritable(level))) return level;
  }
  return nearest;
}

export const newStagingName = (): string => `.holdfast-staging-${randomBytes(8).toString('hex')}`;

/** Who made a staging directory; written before the directory, so that none is ever forgotten. */
interface StagingRecord {
  readonly path: string;
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat: tells a process from a later one of the same id; null where unknown. */
  readonly processStart: string | null;
  /** While this file exists the directory is needed, whatever became of the process. */
  readonly neededBy?: string;
}

async function processStart(pid: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (text === null) return null;
  // The command, in parentheses, may hold spaces: count from behind it.
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}

/** Creates an empty 0700 directory on the target's mount and registers it. Remove it with removeStaging. */
export async function chooseStagingDirectory(
  target: string,
  forbidden: readonly string[],
  stateDirectory: string,
): Promise<string> {
  const parent = await stagingParent(target, forbidden, stateDirectory);
  const name = newStagingName();
  const path = join(parent, name);
  const record: StagingRecord = {
    path,
    pid: process.pid,
    processStart: await processStart(process.pid),
  };
  await makeDirectory(stagingHome(stateDirectory));
  await writeFileDurably(join(stagingHome(stateDirectory), `${name}.json`), JSON.stringify(record));
  await makeDirectory(path, 0o700);
  return path;
}

/** Keeps a staging directory beyond its process, for as long as the file `neededBy` exists. */
export async function keepStaging(
  path: string,
  stateDirectory: string,
  neededBy: string,
): Promise<void> {
  const name = path.slice(path.lastIndexOf(sep) + 1);
  const start = await processStart(process.pid);
  const record: StagingRecord = { path, pid: process.pid, processStart: start, neededBy };
  await writeFileDurably(join(stagingHome(stateDirectory), `${name}.json`), JSON.stringify(record));
}

/**
 * Removes a staging directory and its registration. While a swap is unfinished it stays, for it may still be
 * needed; cleanLeftoverStaging removes it later.
 */
export async function removeStaging(path: string, stateDirectory: string): Promise<void> {
  if (await hasUnfinishedSwaps(stateDirectory)) return;
  await rm(path, { recursive: true, force: true });
  // Gone before nobody knows of it any more: of two names the one removed last alone may be found gone after a power cut.
  await syncDirectory(dirname(path)).catch((error: unknown) => {
    if (systemCode(error) !== 'ENOENT') throw error;
  });
  const name = path.slice(path.lastIndexOf(sep) + 1);
  await removeDurably(join(stagingHome(stateDirectory), `${name}.json`));
}

/** Registrations that were not written to their end have no directory. Only while no other process makes one. */
export async function removeUnfinishedRegistrations(stateDirectory: string): Promise<void> {
  const home = stagingHome(stateDirectory);
  const names = await readdir(home).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  for (const name of names) if (TEMPORARY_NAME.test(name)) await removeDurably(join(home, name));
}

async function isAlive(record: StagingRecord): Promise<boolean> {
  if (record.neededBy !== undefined && (await identify(record.neededBy)) !== null) return true;
  if (record.pid === process.pid) return record.processStart === (await processStart(process.pid));
  try {
    process.kill(record.pid, 0);
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return false;
  }
  const start = await processStart(record.pid);
  return start === null || record.processStart === null || start === record.processStart;
}

/**
 * Removes staging directories whose process is gone; returns their paths. While a swap is unfinished nothing is
 * touched, since it may still need what is staged.
 */
export async function cleanLeftoverStaging(stateDirectory: string): Promise<string[]> {
  if (await hasUnfinishedSwaps(stateDirectory)) return [];
  const home = stagingHome(stateDirectory);
  const names = await readdir(home).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  const removed: string[] = [];
  for (const file of names.filter((each) => each.endsWith('.json'))) {
    const record = parseRecord(await readFile(join(home, file), 'utf8'), file);
    if (record !== null && (await isAlive(record))) continue;
    const path = record?.path ?? join(home, file.slice(0, -'.json'.length));
    await removeStaging(path, stateDirectory);
    removed.push(path);
  }
  return removed;
}

/** A registration that cannot be read, or names anything but a staging directory of its own name, removes nothing else. */
function parseRecord(text: string, file: string): StagingRecord | null {
  try {
    const record = JSON.parse(text) as StagingRecord;
    const expected = file.slice(0, -'.json'.length);
    const name = record.path.slice(record.path.lastIndexOf(sep) + 1);
    return name === expected && STAGING_NAME.test(name) ? record : null;
  } catch {
    return null;
  }
}
