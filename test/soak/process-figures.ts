import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What a process holds, as /proc tells it. */
export interface ProcessFigures {
  readonly residentMegabytes: number;
  readonly descriptors: number;
  readonly children: number;
  readonly threads: number;
}

export function processFigures(pid: number): ProcessFigures {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)![1]);
  return {
    residentMegabytes: field('VmRSS') / 1024,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    children: childrenOf(pid).length,
    threads: field('Threads'),
  };
}

export function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) => {
    const text = readOrNothing(`/proc/${pid}/task/${task}/children`);
    return text
      .split(' ')
      .filter((each) => each !== '')
      .map(Number);
  });
}

/** Processes that were started with this text in their environment, and are no zombies. */
export function processesWith(text: string): number[] {
  const numbers = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return numbers.map(Number).filter((pid) => {
    if (pid === process.pid) return false;
    return readOrNothing(`/proc/${pid}/environ`).includes(text);
  });
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // It has ended meanwhile.
    return '';
  }
}

/** Together with what SQLite keeps beside it. */
export function databaseBytes(path: string): number {
  return ['', '-wal'].reduce((bytes, suffix) => {
    return bytes + (existsSync(path + suffix) ? statSync(path + suffix).size : 0);
  }, 0);
}

/** Everything below a directory, directories as well; none where it is missing. */
export function entriesIn(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return (readdirSync(directory, { recursive: true }) as string[]).map((name) =>
    join(directory, name),
  );
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((left, right) => left - right);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** The second and the last quarter: what came in the first was warming up. */
export function laterQuarters<T>(samples: readonly T[]): { second: T[]; last: T[] } {
  const quarter = Math.floor(samples.length / 4);
  return { second: samples.slice(quarter, 2 * quarter), last: samples.slice(-quarter) };
}
