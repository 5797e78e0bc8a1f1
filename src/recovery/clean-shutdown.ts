import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { makeDirectory, removeDurably, writeFileDurably } from '../files/durable.ts';
import { type Clock, isoTime } from '../kernel/clock.ts';
import { systemCode } from '../kernel/errors.ts';
import { readBootId } from './boot-id.ts';

/**
 * The marker of a daemon that ended in order: written last when it stops. The next start notes in it which run of the
 * kernel it took place in: within that run what was read is still what was written, however that daemon ends; after
 * another start of the host the marker of a daemon that never wrote a new one says nothing. Where it is missing or
 * unreadable, the shutdown was not clean.
 */

const cleanShutdown = z.object({
  at: z.string(),
  bootId: z.string().nullable(),
  /** Set by the start that followed; null where the system does not tell one run of its kernel from another. */
  startedIn: z.string().nullable().optional(),
});
export type CleanShutdown = z.infer<typeof cleanShutdown>;

const markerPath = (stateDirectory: string): string => join(stateDirectory, 'clean-shutdown.json');

export async function markCleanShutdown(stateDirectory: string, clock: Clock): Promise<void> {
  const marker: CleanShutdown = { at: isoTime(clock.nowMs()), bootId: await readBootId() };
  await makeDirectory(stateDirectory);
  await writeFileDurably(markerPath(stateDirectory), `${JSON.stringify(marker)}\n`);
}

/** Called first thing by a daemon that starts. Resolves with the marker that had not been used by another. */
export async function useCleanShutdown(stateDirectory: string): Promise<CleanShutdown | null> {
  const marker = await readMarker(stateDirectory);
  if (marker === null || marker.startedIn !== undefined) return null;
  const used: CleanShutdown = { ...marker, startedIn: await readBootId() };
  await writeFileDurably(markerPath(stateDirectory), `${JSON.stringify(used)}\n`);
  return marker;
}

/** The marker, or null after a shutdown that was not clean. */
export async function readCleanShutdown(stateDirectory: string): Promise<CleanShutdown | null> {
  const marker = await readMarker(stateDirectory);
  if (marker === null || marker.startedIn === undefined) return marker;
  return marker.startedIn !== null && marker.startedIn === (await readBootId()) ? marker : null;
}

async function readMarker(stateDirectory: string): Promise<CleanShutdown | null> {
  let text: string;
  try {
    text = await readFile(markerPath(stateDirectory), 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
  try {
    return cleanShutdown.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

export async function clearCleanShutdown(stateDirectory: string): Promise<void> {
  await removeDurably(markerPath(stateDirectory));
}
