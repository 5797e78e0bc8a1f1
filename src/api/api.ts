import type { z } from 'zod';
import type { LiveSettings } from '../config/live-settings.ts';
import { cannot } from '../kernel/errors.ts';
import type { MethodName, MethodResult } from '../protocol/method-map.ts';
import { methods, needsHello } from '../protocol/methods.ts';
import { openRpcDocument } from '../protocol/openrpc.ts';
import type { Peer } from '../rpc/connection.ts';
import { alertHandlers } from './alert.ts';
import { artifactHandlers } from './artifact.ts';
import { auditHandlers } from './audit.ts';
import { noted } from './audit-trail.ts';
import { requireCapability } from './capabilities.ts';
import type { ApiContext } from './context.ts';
import { daemonHandlers } from './daemon.ts';
import { databaseHandlers } from './database.ts';
import { drillHandlers } from './drill.ts';
import { eventHandlers } from './event.ts';
import type { Handler, Session } from './handler.ts';
import { healthHandlers } from './health.ts';
import { hookHandlers } from './hook.ts';
import { jobHandlers } from './job.ts';
import { migrationHandlers } from './migration.ts';
import { pluginHandlers } from './plugin.ts';
import { progressHandlers } from './progress.ts';
import { recoveryHandlers } from './recovery.ts';
import { repositoryHandlers } from './repository.ts';
import { restoreHandlers } from './restore.ts';
import { retentionHandlers } from './retention.ts';
import { pendingHandlers, scheduleHandlers } from './schedule.ts';
import { secretHandlers } from './secret.ts';
import { settingsHandlers } from './settings.ts';
import { snapshotHandlers } from './snapshot.ts';
import { sourceHandlers } from './source.ts';
import { tableHandlers } from './table.ts';
import { treeHandlers } from './tree.ts';

const ISSUES_TOLD_MAX = 10;
/** Of a name or message that a client wrote itself, and gets back. */
const ISSUE_CHARACTERS_MAX = 300;
const inBrief = (text: string): string =>
  text.length <= ISSUE_CHARACTERS_MAX ? text : `${text.slice(0, ISSUE_CHARACTERS_MAX)}…`;

let discovered: MethodResult<'rpc.discover'> | null = null;

const handlers: { readonly [M in MethodName]: Handler<M> } = {
  ...daemonHandlers,
  ...healthHandlers,
  ...sourceHandlers,
  ...scheduleHandlers,
  ...pendingHandlers,
  ...snapshotHandlers,
  ...tableHandlers,
  ...treeHandlers,
  ...restoreHandlers,
  ...recoveryHandlers,
  ...drillHandlers,
  ...artifactHandlers,
  ...retentionHandlers,
  ...jobHandlers,
  ...progressHandlers,
  ...databaseHandlers,
  ...migrationHandlers,
  ...hookHandlers,
  ...pluginHandlers,
  ...repositoryHandlers,
  ...settingsHandlers,
  ...secretHandlers,
  ...eventHandlers,
  ...alertHandlers,
  ...auditHandlers,
  'rpc.discover': () => {
    discovered ??= openRpcDocument();
    return discovered;
  },
};

/** The methods of the daemon for an `RpcServer`: `new RpcServer({ ...createApi(context), socketPath, … })`. */
export interface Api {
  readonly names: readonly string[];
  openSession(peer: Peer): Session;
  /** @throws PROTOCOL_MISMATCH before `daemon.hello`; INVALID_PARAMS; whatever the handler throws */
  call(method: string, params: unknown, session: Session): Promise<unknown>;
}

/** Each call has the settings that were in force when it came. */
export type ApiOptions = Omit<ApiContext, 'settings'> & { readonly live: LiveSettings };

export function createApi({ live, ...context }: ApiOptions): Api {
  return {
    names: Object.keys(handlers),
    openSession: (peer) => ({ peer, greeted: false, client: null }),
    call: async (method, params, session) => {
      const name = method as MethodName;
      if (needsHello(name) && !session.greeted) {
        throw cannot('PROTOCOL_MISMATCH', 'call', name, 'the client has not said daemon.hello', {
          hint: 'Call daemon.hello with {"protocol": 1} first.',
        });
      }
      const handler = handlers[name] as Handler<MethodName>;
      const world = { ...context, settings: live.current };
      requireCapability(name, session, world);
      const valid = validated(name, params);
      return noted(name, valid, world, session, () => handler(valid as never, world, session));
    },
  };
}

/** The library reads the `length` of what is no string either, and throws at one that cannot be compared. */
function parsed(schema: z.ZodType, params: unknown, name: MethodName) {
  try {
    return schema.safeParse(params);
  } catch (cause) {
    const hint = 'rpc.discover describes the params of every method.';
    throw cannot('INVALID_PARAMS', 'call', name, 'the params cannot be read', { hint, cause });
  }
}

function validated(name: MethodName, params: unknown): unknown {
  const schema: z.ZodType = methods[name].params;
  const { success, data, error } = parsed(schema, params, name);
  if (success) return data;
  const issues = error.issues.slice(0, ISSUES_TOLD_MAX).map(({ path, message }) => ({
    path: inBrief(path.map(String).join('.')),
    message: inBrief(message),
  }));
  const state = issues
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
    .join('; ');
  throw cannot('INVALID_PARAMS', 'call', name, state, {
    hint: 'rpc.discover describes the params of every method.',
    details: { issues },
  });
}
