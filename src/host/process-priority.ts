import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

/** How far this process stands back behind others. */
export interface ProcessPriority {
  /** As of `nice`: 0 to 19. Never raises a priority that is lower already. */
  readonly niceness: number;
  /** `idle`: the disk only when nobody else wants it; `derived`: the kernel goes by the niceness. */
  readonly diskPriority: 'derived' | 'idle';
}

const IDLE_CLASS = '3';

/** What this process is to stand back by as soon as nobody waits for it; null: not at all. */
let wanted: ProcessPriority | null = null;
let usualNiceness = 0;

/**
 * Lowers the priority of this process with all its threads, those to come included. What the host does not allow is
 * left as it was: a job at the usual priority is better than none.
 *
 * `isAwaitedFirst`: work will come of which others wait for the end, such as what is done under a lock of theirs. Where
 * the host would not let the priority be raised again for that, it stays as it is until `standBack`.
 */
export function lowerPriority(choice: ProcessPriority, isAwaitedFirst = false): void {
  wanted = choice;
  usualNiceness = getPriority();
  if (!isAwaitedFirst || mayRaise()) standBack();
}

/** Others wait for what comes now: a process that stands back would let them wait for whoever is in front of it. */
export function stepForward(): void {
  if (wanted === null || wanted.niceness === 0 || !mayRaise()) return;
  writeGroup(usualNiceness);
  for (const thread of threadIds()) setNiceness(thread, usualNiceness);
}

/** Nobody waits any more. */
export function standBack(): void {
  if (wanted === null) return;
  const { niceness, diskPriority } = wanted;
  if (niceness > usualNiceness) {
    writeGroup(niceness);
    for (const thread of threadIds()) setNiceness(thread, niceness);
  }
  if (diskPriority === 'idle') leaveDiskToOthers();
}

/** CAP_SYS_NICE, the twenty-fourth capability. */
const RAISING = 1n << 23n;

/** Everybody may lower a priority; few may raise it again. */
function mayRaise(): boolean {
  try {
    const held = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    return held !== undefined && (BigInt(`0x${held}`) & RAISING) !== 0n;
  } catch {
    return process.getuid?.() === 0;
  }
}

/**
 * On Linux a priority belongs to a thread, and new ones inherit that of the thread that makes them: Node has made
 * some by the time it runs a program.
 */
function threadIds(): number[] {
  try {
    return readdirSync('/proc/self/task').map(Number);
  } catch {
    return [process.pid];
  }
}

function setNiceness(thread: number, niceness: number): void {
  try {
    setPriority(thread, niceness);
  } catch {
    // It has ended, or limits of the host forbid it.
  }
}

/**
 * Where the kernel groups processes by session, niceness counts within a session alone, and a worker has one of its
 * own: what counts is then that of the group. The kernel lets few of these through at once.
 */
function writeGroup(niceness: number): void {
  try {
    writeFileSync('/proc/self/autogroup', String(niceness));
  } catch {
    // No such groups here.
  }
}

/** Resolved by nobody: it takes a moment, during which the work may begin. */
function leaveDiskToOthers(): void {
  const threads = threadIds().map(String);
  execFile('ionice', ['-c', IDLE_CLASS, '-p', ...threads], { timeout: 5_000 }, () => {}).unref();
}
