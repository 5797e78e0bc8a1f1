import { fileURLToPath } from 'node:url';
import type { LiveSettings } from '../config/live-settings.ts';
import type { RunJob } from '../jobs/job-runner.ts';
import { runWorker } from '../jobs/worker-process.ts';
import type { Clock } from '../kernel/clock.ts';
import { CANCEL_GRACE_MS } from '../kernel/limits.ts';
import type { Logger } from '../kernel/logger.ts';
import type { KeyHolder } from './key-holder.ts';

// Both programs lie in dist/.
const WORKER_ENTRY = fileURLToPath(new URL('./worker.js', import.meta.url));

/** Every job in a worker of its own, with the settings in force when it starts: later changes do not reach it. */
export function runInWorker(
  live: LiveSettings,
  clock: Clock,
  logger: Logger,
  keys: Pick<KeyHolder, 'handedOver'>,
): RunJob {
  return (job, hooks) => {
    const settings = live.current;
    const { handedOver: masterKey } = keys;
    const { id: jobId, kind, params } = job;
    const start = { type: 'start', jobId, kind, params, settings } as const;
    return runWorker({
      entry: WORKER_ENTRY,
      start: masterKey === undefined ? start : { ...start, masterKey },
      memoryBytesMax: settings.worker.memoryBytesMax,
      graceMs: CANCEL_GRACE_MS,
      clock,
      logger,
      env: workerEnvironment(process.env),
      ...hooks,
    });
  };
}

/** The daemon's environment without what speaks to the service manager: a worker must not say READY. */
function workerEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { NOTIFY_SOCKET: _socket, WATCHDOG_USEC: _usec, WATCHDOG_PID: _pid, ...rest } = environment;
  return rest;
}
