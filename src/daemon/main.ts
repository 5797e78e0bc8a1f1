import { readSettings, type SettingsFlags } from '../config/load-settings.ts';
import { type ResolveRequest, resolveSettings } from '../config/resolve-settings.ts';
import type { Settings } from '../config/settings.ts';
import { openNotifier } from '../host/notifier.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { type ErrorCode, toErrorDocument } from '../kernel/errors.ts';
import { Daemon } from './daemon.ts';
import { createLogger } from './logger.ts';

/** Within this, work under way is finished or cancelled; systemd's TimeoutStopSec= is longer. */
const STOP_DEADLINE_MS = 20_000;
/** EX_TEMPFAIL: to supervisors a failure, after which they start it again. */
const RESTART_EXIT_CODE = 75;

/** As the command line's own: 2 is not worth a restart by the service manager. */
const EXIT_OF_ERROR: Partial<Record<ErrorCode, number>> = {
  CONFIG_INVALID: 2,
  INVALID_CRON: 2,
  NOT_FOUND: 2,
  INSTANCE_LOCKED: 11,
  IN_USE: 11,
};

function fail(error: unknown): number {
  const { code, message, hint } = toErrorDocument(error);
  process.stderr.write(`holdfast: ${message}\n${hint === undefined ? '' : `hint: ${hint}\n`}`);
  return EXIT_OF_ERROR[code] ?? 1;
}

/** The daemon in the foreground, until SIGTERM, SIGINT or a client ends it. Resolves with the exit code. */
export async function runDaemon(flags: SettingsFlags, clock: Clock = systemClock): Promise<number> {
  // Whatever it creates is for its own user alone; what others may read says so itself.
  process.umask(0o077);
  let request: ResolveRequest;
  let settings: Settings;
  try {
    request = await readSettings(flags, process.env);
    settings = await resolveSettings(request);
  } catch (error) {
    return fail(error);
  }
  const logger = createLogger(settings.logLevel);
  const notifier = await openNotifier({
    environment: process.env,
    onFailure: (error) => logger.warn({ error: error.message }, 'service manager not told'),
  });
  let exitCode = 0;
  let ask: (by: string) => void = () => {};
  const asked = new Promise<string>((resolve) => {
    ask = resolve;
  });
  process.once('SIGTERM', () => ask('SIGTERM'));
  process.once('SIGINT', () => ask('SIGINT'));
  const daemon = new Daemon({
    settings,
    request,
    clock,
    logger,
    setLogLevel: (level) => {
      logger.level = level;
    },
    notifier,
    onShutdownRequested: () => ask('client'),
    onRestartRequested: () => {
      exitCode = RESTART_EXIT_CODE;
      ask('client');
    },
  });
  const started = daemon.start();
  let failure: unknown = null;
  await Promise.race([started.then(() => asked), asked]).catch((error: unknown) => {
    failure = error;
  });
  if (failure === null) logger.info({ by: await asked }, 'stopping');
  await daemon.stop(STOP_DEADLINE_MS);
  // A start that was cut short by the stop has nothing more to say.
  await started.catch(() => {});
  if (failure !== null) return fail(failure);
  logger.info({}, 'stopped');
  return exitCode;
}
