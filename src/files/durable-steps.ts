/**
 * Every step that changes durable state passes here, so that a test can record the steps of a scenario and
 * end the process before or after the n-th one. In production no observer is set and the call costs nothing.
 */

export type DurableStep =
  | 'write'
  | 'fsync'
  | 'fsync-directory'
  | 'rename'
  | 'unlink'
  | 'link'
  | 'mkdir'
  | 'rmdir'
  | 'symlink'
  | 'sqlite-commit';

export type StepObserver = (step: DurableStep, path: string, moment: 'before' | 'after') => void;

let observer: StepObserver | null = null;

/** Sets or clears the observer; returns the one it replaces. */
export function observeDurableSteps(next: StepObserver | null): StepObserver | null {
  const previous = observer;
  observer = next;
  return previous;
}

/** Runs one durable step between its two moments. */
export async function durableStep<T>(
  step: DurableStep,
  path: string,
  run: () => Promise<T>,
): Promise<T> {
  observer?.(step, path, 'before');
  const result = await run();
  observer?.(step, path, 'after');
  return result;
}

export function durableStepSync<T>(step: DurableStep, path: string, run: () => T): T {
  observer?.(step, path, 'before');
  const result = run();
  observer?.(step, path, 'after');
  return result;
}

/**
 * The environment variable by which a test ends this process by SIGKILL at a durable step:
 * `<before|after>:<n>`, n counted from 1. Read by the mains alone.
 */
export const KILL_AT_STEP_VARIABLE = 'HOLDFAST_TEST_KILL_AT_STEP';

/** Arms the kill switch that KILL_AT_STEP_VARIABLE describes; anything else is ignored. */
export function armKillSwitch(specification: string | undefined): void {
  const match = /^(before|after):(\d+)$/.exec(specification ?? '');
  if (match === null) return;
  let remaining = Number(match[2]);
  observeDurableSteps((_step, _path, moment) => {
    if (moment !== match[1]) return;
    remaining -= 1;
    if (remaining === 0) process.kill(process.pid, 'SIGKILL');
  });
}
