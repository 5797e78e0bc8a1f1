import { execFile } from 'node:child_process';
import { cannot, type HoldfastError, messageOf } from '../kernel/errors.ts';

/**
 * What the service manager is told (sd_notify(3)). Without NOTIFY_SOCKET every call does nothing. A call resolves once
 * the message was handed over; it never rejects, since a deaf service manager is no reason to stop protecting data:
 * failures go to `onFailure`.
 */
export interface Notifier {
  /** How messages travel; `none` when nobody listens. */
  readonly means: 'libsystemd' | 'systemd-notify' | 'none';
  /** Start-up is complete. Only after this does the watchdog count. */
  ready(status: string): Promise<void>;
  /** One line for `systemctl status`. */
  status(text: string): Promise<void>;
  stopping(): Promise<void>;
  /** Proof of life. */
  watchdog(): Promise<void>;
  /** Asks for this much more time to start or stop, counted from now; to be repeated before it has passed. */
  extendTimeout(durationMs: number): Promise<void>;
}

export interface NotifierOptions {
  readonly environment: NodeJS.ProcessEnv;
  readonly onFailure: (error: HoldfastError) => void;
  /** For tests and for hosts where native calls are unwanted; otherwise libsystemd where it loads. */
  readonly means?: 'libsystemd' | 'systemd-notify';
}

/** `KEY=value` pairs of one message; a later pair replaces an earlier one of its key. */
type Pairs = Readonly<Record<string, string>>;
type Send = (pairs: Pairs) => Promise<void>;

/** Opens the best means of this host. */
export async function openNotifier(options: NotifierOptions): Promise<Notifier> {
  if (!options.environment['NOTIFY_SOCKET']) return notifierOver('none', async () => {});
  if (options.means !== 'systemd-notify') {
    const native = await loadLibsystemd();
    if (native !== null) return notifierOver('libsystemd', reporting(native, options));
    if (options.means === 'libsystemd') {
      throw cannot('INTERNAL', 'load', 'libsystemd.so.0', 'it or the koffi package is missing');
    }
  }
  const spawned = coalesced(sendThroughCommand(options.environment));
  return notifierOver('systemd-notify', reporting(spawned, options));
}

function notifierOver(means: Notifier['means'], send: Send): Notifier {
  return {
    means,
    ready: (status) => send({ READY: '1', STATUS: oneLine(status) }),
    status: (text) => send({ STATUS: oneLine(text) }),
    stopping: () => send({ STOPPING: '1' }),
    watchdog: () => send({ WATCHDOG: '1' }),
    extendTimeout: (durationMs) =>
      send({ EXTEND_TIMEOUT_USEC: String(Math.ceil(durationMs * 1000)) }),
  };
}

/** A line break would start another pair. */
const oneLine = (text: string): string => text.replaceAll(/[\r\n\0]+/g, ' ');

function reporting(send: Send, options: NotifierOptions): Send {
  return async (pairs) => {
    try {
      await send(pairs);
    } catch (error) {
      options.onFailure(
        cannot('IO_ERROR', 'notify', 'the service manager', messageOf(error), { cause: error }),
      );
    }
  };
}

/** sd_notify(3) of libsystemd, called in this process, so that NotifyAccess=main would be enough; null where it cannot be loaded. */
async function loadLibsystemd(): Promise<Send | null> {
  let call: (unsetEnvironment: number, state: string) => number;
  try {
    const { default: koffi } = await import('koffi');
    call = koffi
      .load('libsystemd.so.0')
      .func('int sd_notify(int unset_environment, const char *state)');
  } catch {
    return null;
  }
  return async (pairs) => {
    const result = call(0, linesOf(pairs).join('\n'));
    if (result < 0) throw new Error(`sd_notify returned ${result}`);
  };
}

const linesOf = (pairs: Pairs): string[] =>
  Object.entries(pairs).map(([key, value]) => `${key}=${value}`);

const COMMAND_DURATION_MS_MAX = 10_000;

/** systemd-notify(1): an unprivileged one speaks under its own process id, hence NotifyAccess=all in our unit. */
function sendThroughCommand(environment: NodeJS.ProcessEnv): Send {
  return (pairs) =>
    new Promise((resolve, reject) => {
      execFile(
        'systemd-notify',
        ['--', ...linesOf(pairs)],
        { env: environment, timeout: COMMAND_DURATION_MS_MAX },
        (error) => (error === null ? resolve() : reject(error)),
      );
    });
}

/** One message under way at a time, so that order holds; what comes meanwhile is merged into the next. */
function coalesced(send: Send): Send {
  let underway: Promise<void> | null = null;
  let next: { pairs: Record<string, string>; sent: Promise<void> } | null = null;
  return (pairs) => {
    if (next !== null) {
      Object.assign(next.pairs, pairs);
      return next.sent;
    }
    if (underway === null) {
      underway = send(pairs).finally(() => {
        underway = null;
      });
      return underway;
    }
    const waiting = { ...pairs };
    const sent = underway
      .catch(() => {})
      .then(() => {
        next = null;
        underway = send(waiting).finally(() => {
          underway = null;
        });
        return underway;
      });
    next = { pairs: waiting, sent };
    return sent;
  };
}
