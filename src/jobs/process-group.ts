import { readdirSync, readFileSync } from 'node:fs';
import { systemCode } from '../kernel/errors.ts';
import { JOB_ID_VARIABLE } from './worker-messages.ts';

/** A worker leads a process group of its own: whatever it starts dies with it. */

/** SIGKILL to every member of the group that `leaderPid` leads; false when there is none any more. */
export function killProcessGroup(leaderPid: number): boolean {
  try {
    process.kill(-leaderPid, 'SIGKILL');
    return true;
  } catch (error) {
    // EPERM (macOS): only zombies are left.
    if (systemCode(error) === 'ESRCH' || systemCode(error) === 'EPERM') return false;
    throw error;
  }
}

/** In the environment of whatever hooks of a job start: found by it, however far it went from the worker. */
export const HOOK_JOB_VARIABLE = 'HOLDFAST_HOOK_OF_JOB';

/** SIGKILL to what the hooks of a job that ended amiss left running. Only where /proc shows environments. */
export function killHookProcesses(jobId: string): void {
  const mark = `${HOOK_JOB_VARIABLE}=${jobId}`;
  for (const name of processNumbers()) {
    try {
      const environment = readFileSync(`/proc/${name}/environ`, 'latin1').split('\0');
      if (environment.includes(mark)) process.kill(Number(name), 'SIGKILL');
    } catch {
      // It ended meanwhile, or is another user's.
    }
  }
}

function processNumbers(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** Resident bytes of a process; null where /proc does not tell. Counts shared pages too. */
export function residentBytes(pid: number): number | null {
  try {
    // `status` gives kilobytes; `statm` counts pages, whose size Node does not know.
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return match === null ? null : Number(match[1]) * 1024;
  } catch {
    return null;
  }
}

/** True where /proc shows that `pid` is a worker of this very job, not a stranger that got its number. */
export function isWorkerOf(pid: number, jobId: string): boolean {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
    return environment.includes(`${JOB_ID_VARIABLE}=${jobId}`);
  } catch {
    return false;
  }
}
