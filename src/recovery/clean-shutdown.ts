import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { makeDirectory, removeDurably, writeFileDurably } from '../files/durable.ts';
import { type Clock, isoTime } from '../kernel/clock.ts';
import { systemCode } from '../kernel/errors.ts';
import { readBootId } from './boot-id.ts';

/**
 * The marker of a daemon that ended in order: written last when it stops, removed first when it starts. Where it
 * is missing or unreadable, the shutdown was not clean.
 */

const cleanShutdown = z.object({ at: z.string(), bootId: z.string().nullable() });
export type CleanShutdown = z.infer<typeof cleanShutdown>;

const markerPath = (stateDirectory: string): string => join(stateDirectory, 'clean-shutdown.json');

export async function markCleanShutdown(stateDirectory: string, clock: Clock): Promise<void> {
  const marker: CleanShutdown = { at: isoTime(clock.nowMs()), bootId: await readBootId() };
  await makeDirectory(stateDirectory);
  await writeFileDurably(markerPath(stateDirectory), `${JSON.stringify(marker)}\n`);
}

/** The marker, or null after a shutdown that was not clean. */
export async function readCleanShutdown(stateDirectory: string): Promise<CleanShutdown | null> {
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
