import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { stopChild } from '../support/sandbox.ts';

/** Real file systems that fill up or become read-only, and a kernel that answers a process with errors. */

export const isRoot = process.getuid?.() === 0;

export class SmallDisk {
  readonly path: string;
  #covered = false;

  constructor(path: string, megabytes: number) {
    this.path = path;
    mkdirSync(path, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path]);
  }

  grow(megabytes: number): void {
    execFileSync('mount', ['-o', `remount,size=${megabytes}m`, this.path]);
  }

  /**
   * Whoever opens something from now on finds a read-only file system. A remount would be refused as long as
   * anything is open for writing, so that it is covered by a read-only view of itself.
   */
  letWrite(may: boolean): void {
    if (may) execFileSync('umount', ['-l', this.path]);
    else {
      execFileSync('mount', ['--bind', this.path, this.path]);
      execFileSync('mount', ['-o', 'remount,bind,ro', this.path]);
    }
    this.#covered = !may;
  }

  /** Lazily: the daemon may still have files open there. */
  remove(): void {
    if (this.#covered) this.letWrite(true);
    execFileSync('umount', ['-l', this.path]);
  }
}

const isTraced = (pid: number): boolean =>
  !/^TracerPid:\t0$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

const LOOK_MS = 20;

/** From when this resolves until `mend`, these calls of the process, its threads and its children fail. */
export class FailingKernel {
  readonly #tracer: ChildProcess;

  private constructor(tracer: ChildProcess) {
    this.#tracer = tracer;
  }

  static async attach(pid: number, calls: string, error: string): Promise<FailingKernel> {
    const inject = ['-e', `trace=${calls}`, '-e', `inject=${calls}:error=${error}`];
    const options = ['-f', '-qq', '-o', '/dev/null', ...inject, '-p', String(pid)];
    const tracer = spawn('strace', options, { stdio: 'ignore' });
    while (!isTraced(pid) && tracer.exitCode === null) await delay(LOOK_MS);
    return new FailingKernel(tracer);
  }

  async mend(): Promise<void> {
    await stopChild(this.#tracer, 'SIGTERM');
  }
}

/** Asks until the answer is as it should be. */
export async function until<T>(ask: () => Promise<T>, isSo: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (isSo(answer)) return answer;
    await delay(10 * LOOK_MS);
  }
}
