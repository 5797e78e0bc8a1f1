import { armKillSwitch, KILL_AT_STEP_VARIABLE } from '../files/durable-steps.ts';
import { serveWorker } from '../jobs/worker-runtime.ts';
import { systemClock } from '../kernel/clock.ts';
import { runOperation } from '../operations/run-operation.ts';
import { allowCheckThreads } from '../sqlite/check-beside.ts';
import { allowByteThreads } from '../store/threads/byte-pool.ts';
import { lowerForJob } from './job-priority.ts';

/** A worker: one job, then the end. It alone opens application databases and writes the repository. */
process.umask(0o077);
armKillSwitch(process.env[KILL_AT_STEP_VARIABLE]);
allowByteThreads(new URL('./byte-thread.js', import.meta.url));
allowCheckThreads(new URL('./check-thread.js', import.meta.url));
serveWorker((start, activity) => {
  lowerForJob(start);
  return runOperation(start, activity, systemClock);
});
