import { existsSync, readFileSync, rmSync } from 'node:fs';
import { observeDurableSteps } from '../../../../src/files/durable-steps.ts';
import { serveWorker } from '../../../../src/jobs/worker-runtime.ts';
import { type Clock, systemClock } from '../../../../src/kernel/clock.ts';
import { runOperation } from '../../../../src/operations/run-operation.ts';
import { allowByteThreads } from '../../../../src/store/threads/byte-pool.ts';
import { simulateFileTimes } from '../file-times.ts';
import type { OrderedKill } from '../ordered-kill.ts';
import { TimeTable } from '../time-table.ts';

/** A worker as it is, in simulated time: the wall stands still during a job, durations are real. */

process.umask(0o077);
const table = new TimeTable(process.env['SOAK_TIMES']!);
const wallMs = table.nowMs;
const clock: Clock = { ...systemClock, nowMs: () => wallMs };

/** Ends the worker, or the daemon with it, at a durable step, once. */
function armOrderedKill(jobKind: string): void {
  const path = process.env['SOAK_KILL']!;
  if (!existsSync(path)) return;
  const order = JSON.parse(readFileSync(path, 'utf8')) as OrderedKill;
  if (order.jobKind !== jobKind) return;
  rmSync(path);
  let left = order.atStep;
  observeDurableSteps(() => {
    left -= 1;
    if (left > 0) return;
    if (order.victim === 'daemon') process.kill(process.ppid, 'SIGKILL');
    process.kill(process.pid, 'SIGKILL');
  });
}

allowByteThreads(new URL('./byte-thread.js', import.meta.url));
serveWorker(async (start, activity) => {
  await simulateFileTimes(table);
  armOrderedKill(start.kind);
  return runOperation(start, activity, clock);
});
