import type { Activity } from '../kernel/activity.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { cannot, type HoldfastError, toErrorDocument } from '../kernel/errors.ts';
import { LOG_LINES_PER_JOB_MAX } from '../kernel/limits.ts';
import { boundResult } from './bound-result.ts';
import { endOwnGroup, endWithParent } from './parent-watch.ts';
import { ProgressThrottle } from './progress-throttle.ts';
import {
  type FromWorker,
  SUPERVISOR_PID_VARIABLE,
  type ToWorker,
  type WorkerStart,
} from './worker-messages.ts';

export type WorkerMain = (
  start: WorkerStart,
  activity: Activity,
) => Promise<Record<string, unknown>>;

/**
 * Serves the one job that this process was forked for, then ends the process: code 0 when its result was handed
 * over, 1 when its failure was, 130 when it was cancelled. Call it once, first thing.
 */
export function serveWorker(run: WorkerMain, options: { clock?: Clock } = {}): void {
  if (process.send === undefined) {
    throw cannot('INTERNAL', 'serve', 'worker', 'this process was not forked by a supervisor');
  }
  const service = new WorkerService(run, options.clock ?? systemClock);
  const supervisorPid = Number(process.env[SUPERVISOR_PID_VARIABLE]);
  if (Number.isSafeInteger(supervisorPid) && supervisorPid > 0) endWithParent(supervisorPid);
  process.on('disconnect', endOwnGroup);
  // A service manager's stop signals every process of the unit; how long a job may go on is the supervisor's
  // to say, over the channel.
  process.on('SIGTERM', () => {});
  process.on('SIGINT', () => {});
  process.on('uncaughtException', (error) => service.fail(error));
  process.on('unhandledRejection', (reason) => service.fail(reason));
  process.on('message', (message) => service.receive(message as ToWorker));
}

class WorkerService {
  readonly #run: WorkerMain;
  readonly #abort = new AbortController();
  readonly #throttle: ProgressThrottle;
  #logLines = 0;
  #started = false;
  #ended = false;

  constructor(run: WorkerMain, clock: Clock) {
    this.#run = run;
    this.#throttle = new ProgressThrottle(clock, (counts) => post({ type: 'progress', counts }));
  }

  receive(message: ToWorker): void {
    if (message.type === 'cancel') {
      this.#abort.abort(stopReason(message.reason));
      return;
    }
    if (this.#started) return;
    this.#started = true;
    // Through a promise, so that an operation that throws at once fails like any other.
    Promise.resolve()
      .then(() => {
        // The cancellation may have come with the start.
        this.#abort.signal.throwIfAborted();
        return this.#run(message, this.#activity());
      })
      .then((result) => this.#succeed(result))
      .catch((error: unknown) => this.fail(error));
  }

  #activity(): Activity {
    const { signal } = this.#abort;
    return {
      signal,
      progress: (counts) => this.#throttle.report(counts),
      log: (message) => this.#log(message),
      warn: (message) => post({ type: 'warn', message }),
      setCancellable: (cancellable) => {
        if (!cancellable) signal.throwIfAborted();
        post({ type: 'section', cancellable });
      },
    };
  }

  #log(message: string): void {
    // One more than the supervisor keeps, so that it knows that something was left out.
    if (this.#logLines > LOG_LINES_PER_JOB_MAX) return;
    this.#logLines += 1;
    post({ type: 'log', stream: 'event', message });
  }

  #succeed(result: Record<string, unknown>): void {
    const bounded = boundResult(result);
    if (bounded.omitted.length > 0) {
      post({ type: 'warn', message: `Left out of the result: ${bounded.omitted.join(', ')}` });
    }
    this.#end({ type: 'result', result: bounded.result }, 0);
  }

  fail(error: unknown): void {
    const document = toErrorDocument(error);
    this.#end({ type: 'failed', error: document }, document.code === 'CANCELLED' ? 130 : 1);
  }

  /** The last message, and the end of the process once it has left it. */
  #end(message: FromWorker, exitCode: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#throttle.flush();
    // Exiting drops what the streams still hold; handles left open must not keep a finished worker alive.
    process.stdout.write('', () => {
      process.stderr.write('', () => post(message, () => process.exit(exitCode)));
    });
  }
}

function post(message: FromWorker, onSent: () => void = () => {}): void {
  // A closed channel means that the supervisor is gone: 'disconnect' ends this process.
  if (process.connected) process.send?.(message, undefined, {}, onSent);
}

function stopReason(reason: 'cancelled' | 'deadline'): HoldfastError {
  return reason === 'cancelled'
    ? cannot('CANCELLED', 'finish', 'job', 'it was cancelled')
    : cannot('TIMEOUT', 'finish', 'job', 'its deadline has passed', { retryable: true });
}
