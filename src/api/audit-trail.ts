import { messageOf, toErrorDocument } from '../kernel/errors.ts';
import type { MethodName } from '../protocol/method-map.ts';
import type { ApiContext } from './context.ts';
import type { Session } from './handler.ts';

/** Methods that change nothing and enqueue nothing. Whatever is not among them is noted, so that a new one cannot be forgotten. */
const READING: ReadonlySet<MethodName> = new Set<MethodName>([
  'alert.list',
  'artifact.list',
  'audit.list',
  'daemon.hello',
  'daemon.ping',
  'daemon.status',
  'daemon.updateInfo',
  'drill.list',
  'event.subscribe',
  'event.unsubscribe',
  'health.live',
  'health.ready',
  'health.report',
  'hook.get',
  'job.get',
  'job.list',
  'job.logs',
  'job.statistics',
  'job.wait',
  'migration.check',
  'migration.history',
  'migration.pending',
  'migration.status',
  'pending.list',
  'plugin.list',
  'plugin.presets',
  'progress.get',
  'recovery.get',
  'recovery.quarantineGet',
  'recovery.quarantineList',
  'recovery.reports',
  'repository.locks',
  'repository.statistics',
  'restore.pending',
  'restore.plan',
  'retention.get',
  'retention.preview',
  'rpc.discover',
  'schedule.list',
  'schedule.status',
  'secret.list',
  'settings.get',
  'snapshot.files',
  'snapshot.find',
  'snapshot.get',
  'snapshot.latest',
  'snapshot.list',
  'snapshot.manifest',
  'source.get',
  'source.lint',
  'source.list',
  'tree.list',
]);

/** A daemon that cannot write its notes can still be told to stop. */
const EVEN_UNNOTED: ReadonlySet<string> = new Set(['daemon.shutdown', 'daemon.restart']);

export const isReading = (method: MethodName): boolean => READING.has(method);

/** Notes who asked for a change before it is made, and how it went. A change that cannot be noted is not made. */
export async function noted<Result>(
  method: MethodName,
  params: unknown,
  { audit, clock, logger }: ApiContext,
  { peer, client }: Session,
  make: () => Result | Promise<Result>,
): Promise<Result> {
  if (isReading(method)) return make();
  const { uid = null, gid = null, pid = null } = peer.credentials ?? {};
  const who = { actor: 'user', client, uid, gid, pid } as const;
  let sequence: number | null = null;
  try {
    sequence = audit.begin({ at: clock.nowMs(), action: method, ...who, params: inShort(params) });
  } catch (error) {
    if (!EVEN_UNNOTED.has(method)) throw error;
    logger.error({ error: messageOf(error), method }, 'change not noted');
  }
  const finish = (outcome: string, jobId: string | null): void => {
    try {
      if (sequence !== null) audit.finish(sequence, outcome, jobId);
    } catch (error) {
      // What was done is done: the note stands without its outcome.
      logger.error({ error: messageOf(error), method }, 'outcome of a change not noted');
    }
  };
  try {
    const result = await make();
    finish('ok', jobIdOf(result));
    return result;
  } catch (error) {
    finish(toErrorDocument(error).code, null);
    throw error;
  }
}

function jobIdOf(result: unknown): string | null {
  const { job, id } = (result ?? {}) as { job?: { id?: unknown }; id?: unknown };
  if (typeof job?.id === 'string') return job.id;
  const isJob =
    typeof id === 'string' && 'kind' in (result as object) && 'exitCode' in (result as object);
  return isJob ? id : null;
}

const PARAMS_BYTES_MAX = 4_096;
const HIDDEN = '(hidden)';
/** Fields that may hold a secret, wherever they are. */
const SECRET_FIELD = /^(value|env|environment|password|token|secret|passphrase)$/i;

/** Params for people to read: without what may be secret, and bounded. */
export function inShort(params: unknown): unknown {
  const text = JSON.stringify(params, (key, value) => (SECRET_FIELD.test(key) ? HIDDEN : value));
  if (text === undefined) return null;
  if (Buffer.byteLength(text) <= PARAMS_BYTES_MAX) return JSON.parse(text) as unknown;
  return { fields: Object.keys(params as object).slice(0, 50), bytes: Buffer.byteLength(text) };
}
