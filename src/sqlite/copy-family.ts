import { constants } from 'node:fs';
import { copyFile, open, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Clock, sleep } from '../kernel/clock.ts';
import { cannot, systemCode } from '../kernel/errors.ts';
import { disarmJournal } from './disarm-journal.ts';
import { type FamilyStat, familyPaths, sameFamilyContent, statFamily } from './family.ts';

const BLOCK_BYTES = 4 * 1024 * 1024;
/** File times move in ticks of up to 10 ms: a second write within one tick would not show. */
const TICK_MS = 25;
const ATTEMPTS_MAX = 5;

export interface CopyFamilyOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export interface FamilyCopy {
  /** The copied main file; `-wal` and `-journal` stand beside it, `-shm` does not: SQLite builds it anew. */
  readonly path: string;
  /** Of the original: it stayed like this from before the first byte was read until after the last. */
  readonly stat: FamilyStat;
}

/**
 * Copies a family that nobody writes to into a directory, sharing blocks where the file system can.
 * It opens and closes the originals: never call it where this process has an SQLite connection on them.
 * @throws BUSY (retryable) when it was written each time, PATH_NOT_FOUND, or what the file system says
 */
export async function copyFamily(
  path: string,
  directory: string,
  options: CopyFamilyOptions,
): Promise<FamilyCopy> {
  const copies = familyPaths(join(directory, basename(path)));
  const originals = familyPaths(path);
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const stat = await statFamily(path);
    if (stat.main === null) throw cannot('PATH_NOT_FOUND', 'copy database', path, 'it is gone');
    await settle(stat, options);
    await copyMember(originals.main, copies.main, options.signal);
    for (const member of ['wal', 'journal'] as const) {
      await rm(copies[member], { force: true });
      if (stat[member] !== null) {
        await copyMember(originals[member], copies[member], options.signal);
      }
    }
    if (sameFamilyContent(stat, await statFamily(path))) {
      await disarmJournal(copies.journal);
      return { path: copies.main, stat };
    }
  }
  throw cannot('BUSY', 'copy database', path, 'it is written all the time', {
    hint: 'Try again when its application is idle.',
    retryable: true,
  });
}

/** Waits until a write that came right after `stat` would carry another time than the one it shows. */
async function settle(stat: FamilyStat, { clock, signal }: CopyFamilyOptions): Promise<void> {
  const times = [stat.main, stat.wal, stat.journal].map((member) => member?.mtimeNs ?? 0n);
  const newestMs = Math.max(...times.map((time) => Number(time / 1_000_000n)));
  if (Math.abs(clock.nowMs() - newestMs) < TICK_MS) await sleep(clock, TICK_MS, signal);
}

/** A member that vanishes meanwhile is left out: the comparison of `stat` results notices. */
async function copyMember(from: string, to: string, signal: AbortSignal): Promise<void> {
  try {
    await rm(to, { force: true });
    if (await cloneFile(from, to)) return;
    await copyBlocks(from, to, signal);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}

async function copyBlocks(from: string, to: string, signal: AbortSignal): Promise<void> {
  const source = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const target = await open(to, 'wx', 0o600);
    try {
      const block = Buffer.allocUnsafe(BLOCK_BYTES);
      for (;;) {
        signal.throwIfAborted();
        const { bytesRead } = await source.read(block, 0, BLOCK_BYTES);
        if (bytesRead === 0) break;
        await target.writeFile(block.subarray(0, bytesRead));
      }
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

const CANNOT_CLONE = new Set(['ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'ENOSYS', 'EINVAL', 'ENOTTY']);

async function cloneFile(from: string, to: string): Promise<boolean> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if (!CANNOT_CLONE.has(systemCode(error) ?? '')) throw error;
    await rm(to, { force: true });
    return false;
  }
}
