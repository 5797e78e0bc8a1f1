import { Worker } from 'node:worker_threads';

/**
 * A worker must not outlive its supervisor: it would go on changing files that a new daemon looks after.
 * The closed IPC channel tells it, but only once its event loop turns, which a long SQLite call prevents for
 * minutes; and Node has no binding for prctl(PR_SET_PDEATHSIG), which exists on Linux alone. So a thread, which runs whatever the main thread does, looks once a second who the parent is and
 * ends the whole process group when that changes. It opens no files, so the process's locks are safe from it.
 */
export function endWithParent(parentPid: number): void {
  const watch = new Worker(WATCH_PROGRAM, {
    eval: true,
    workerData: parentPid,
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2 },
  });
  // Without the thread the channel still tells; the worker is merely slower to notice.
  watch.on('error', () => {});
  watch.unref();
}

/** Ends this process, and the group that it leads, now. */
export function endOwnGroup(): void {
  try {
    process.kill(-process.pid, 'SIGKILL');
  } catch {
    // It leads no group: started by hand.
    process.kill(process.pid, 'SIGKILL');
  }
}

// Inlined as text, because the programs are bundled and a thread needs a file or a text. Atomics.wait is a sleep
// that needs no event loop.
const WATCH_PROGRAM = `
  const { workerData: parentPid } = require('node:worker_threads');
  const cell = new Int32Array(new SharedArrayBuffer(4));
  while (process.ppid === parentPid) Atomics.wait(cell, 0, 0, 1000);
  try {
    process.kill(-process.pid, 'SIGKILL');
  } catch {
    process.kill(process.pid, 'SIGKILL');
  }
`;
