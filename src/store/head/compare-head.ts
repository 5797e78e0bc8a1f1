import { basename } from 'node:path';
import { shortId } from '../../kernel/ids.ts';
import type { Layout } from '../layout.ts';
import { FolderState, manifestName } from './folder-state.ts';
import type { Head, HeadMark } from './head.ts';
import { markOf } from './head.ts';
import { readHeadBytes } from './head-file.ts';

/** What stands otherwise in a repository than its writers left it: nobody with the key did that. */
export interface HeadFinding {
  readonly severity: 'error' | 'warning';
  readonly code:
    | 'HEAD_MISSING'
    | 'HEAD_DAMAGED'
    | 'ROLLED_BACK'
    | 'REPOSITORY_REPLACED'
    | 'SNAPSHOT_DROPPED'
    | 'SNAPSHOT_RETURNED'
    | 'NOTES_REPLACED'
    | 'KEY_SLOT_DROPPED'
    | 'KEY_SLOT_RETURNED';
  readonly message: string;
  /** Inside the repository. */
  readonly path: string;
}

const HEAD_FILE = 'head.json';
const LOOKS_MAX = 5;

/**
 * Holds an encrypted repository against its head, and the head against what was seen of it before. Takes no lock: a
 * writer tells in the head what it is about to do, so that a head that stayed the same vouches for what stood there meanwhile.
 */
export async function compareHead(
  layout: Layout,
  repositoryId: string,
  seen: HeadMark | null,
  folder: FolderState = new FolderState(layout),
): Promise<HeadFinding[]> {
  if (layout.keys === null) return [];
  for (let look = 1; ; look += 1) {
    const before = await readHeadBytes(layout);
    const actual = await folder.all();
    const after = await readHeadBytes(layout);
    const hasMoved = before === null || after === null ? before !== after : !before.equals(after);
    if (hasMoved && look < LOOKS_MAX) continue;
    const reading = folder.head(after);
    if (reading.head === null) {
      const code = reading.state === 'missing' ? 'HEAD_MISSING' : 'HEAD_DAMAGED';
      const message = `The head of the repository is ${reading.state} (${reading.message}): what was removed, put back or set back cannot be told`;
      return [{ severity: 'error', code, message, path: HEAD_FILE }];
    }
    const back = steppedBack(seen, reading.head, repositoryId);
    // A writer that is never done: the next look finds what this one could not.
    return hasMoved ? back : [...back, ...differences(reading.head, actual)];
  }
}

function steppedBack(seen: HeadMark | null, head: Head, repositoryId: string): HeadFinding[] {
  if (seen !== null && !isSame(seen, head, repositoryId)) {
    const message = `The repository is another one than before (${seen.repositoryId}): somebody put it there, or it was made anew`;
    return [{ severity: 'error', code: 'REPOSITORY_REPLACED', message, path: HEAD_FILE }];
  }
  const state = seen === null ? null : stepBack(seen, head, repositoryId);
  if (state === null) return [];
  const message = `The repository was set back to an earlier state, or exchanged for a copy: ${state}`;
  return [{ severity: 'error', code: 'ROLLED_BACK', message, path: HEAD_FILE }];
}

/** The repository that was seen, or the one that it was converted to. */
export const isSame = (seen: HeadMark, { formerId }: Head, repositoryId: string): boolean =>
  seen.repositoryId === repositoryId || seen.repositoryId === formerId;

/** How a head contradicts what was seen before; null where it may follow on it. */
export function stepBack(seen: HeadMark, head: Head, repositoryId: string): string | null {
  // Converted since, or replaced: not a matter of steps.
  if (seen.repositoryId !== repositoryId) return null;
  if (seen.line !== head.line) return `its changes do not follow on change ${seen.generation}`;
  if (head.generation < seen.generation) {
    return `it is at change ${head.generation}, and was at ${seen.generation} before`;
  }
  const { digest } = markOf(head, repositoryId);
  const known = new Map([[head.generation, digest] as const, ...head.history]);
  const then = known.get(seen.generation);
  if (then === seen.digest) return null;
  const oldest = Math.min(...known.keys());
  if (then === undefined && seen.generation < oldest) return null;
  return `its change ${seen.generation} is another one than was seen before`;
}

/** By name, what stands otherwise than `head` says. */
export function differences(head: Head, actual: ReadonlyMap<string, string>): HeadFinding[] {
  const pending = new Map(head.pending.map((change) => [change.name, change]));
  const names = new Set([...head.entries.keys(), ...actual.keys(), ...pending.keys()]);
  const found: HeadFinding[] = [];
  for (const name of [...names].sort()) {
    const expected = head.entries.get(name) ?? null;
    const is = actual.get(name) ?? null;
    const change = pending.get(name);
    if (is === expected || (change !== undefined && is === change.to)) continue;
    if (head.altered.includes(name)) continue;
    // Notes of no snapshot say nothing.
    if (name.startsWith('notes/') && !actual.has(manifestName(basename(name, '.json')))) continue;
    found.push(findingOf(name, expected, is));
  }
  return [...found, ...head.altered.map((name) => findingOf(name, '', ''))];
}

function findingOf(name: string, expected: string | null, is: string | null): HeadFinding {
  const id = basename(name, '.json');
  const error = (code: HeadFinding['code'], message: string): HeadFinding => ({
    severity: 'error',
    code,
    message,
    path: name,
  });
  if (name.startsWith('snapshots/') && is === null) {
    return error('SNAPSHOT_DROPPED', `Snapshot ${shortId(id)} was taken away without the key`);
  }
  if (name.startsWith('snapshots/')) {
    return error('SNAPSHOT_RETURNED', `Snapshot ${shortId(id)} was removed, and put back`);
  }
  if (name.startsWith('notes/')) {
    const deed = is === null ? 'taken away' : 'exchanged for earlier ones';
    const message = `The notes of snapshot ${shortId(id)} were ${deed} without the key: its pin or tags may be others`;
    return error('NOTES_REPLACED', message);
  }
  if (is === null) {
    const message = `Key ${id} was taken away without the key: it opens the repository no more`;
    return { ...error('KEY_SLOT_DROPPED', message), severity: 'warning' };
  }
  const deed = expected === null ? 'removed, and its slot was put back' : 'exchanged';
  return error('KEY_SLOT_RETURNED', `Key ${id} was ${deed}`);
}
