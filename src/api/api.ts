import type { z } from 'zod';
import { cannot } from '../kernel/errors.ts';
import type { MethodName, MethodResult } from '../protocol/method-map.ts';
import { methods, needsHello } from '../protocol/methods.ts';
import { openRpcDocument } from '../protocol/openrpc.ts';
import type { Peer } from '../rpc/connection.ts';
import type { ApiContext } from './context.ts';
import { daemonHandlers } from './daemon.ts';
import { drillHandlers } from './drill.ts';
import { eventHandlers } from './event.ts';
import type { Handler, Session } from './handler.ts';
import { healthHandlers } from './health.ts';
import { jobHandlers } from './job.ts';
import { recoveryHandlers } from './recovery.ts';
import { repositoryHandlers } from './repository.ts';
import { restoreHandlers } from './restore.ts';
import { settingsHandlers } from './settings.ts';
import { snapshotHandlers } from './snapshot.ts';
import { scheduleHandlers, sourceHandlers } from './source.ts';
import { treeHandlers } from './tree.ts';

const ISSUES_TOLD_MAX = 10;

let discovered: MethodResult<'rpc.discover'> | null = null;

const handlers: { readonly [M in MethodName]: Handler<M> } = {
  ...daemonHandlers,
  ...healthHandlers,
  ...sourceHandlers,
  ...scheduleHandlers,
  ...snapshotHandlers,
  ...treeHandlers,
  ...restoreHandlers,
  ...recoveryHandlers,
  ...drillHandlers,
  ...jobHandlers,
  ...repositoryHandlers,
  ...settingsHandlers,
  ...eventHandlers,
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

export function createApi(context: ApiContext): Api {
  return {
    names: Object.keys(handlers),
    openSession: (peer) => ({ peer, greeted: false }),
    call: async (method, params, session) => {
      const name = method as MethodName;
      if (needsHello(name) && !session.greeted) {
        throw cannot('PROTOCOL_MISMATCH', 'call', name, 'the client has not said daemon.hello', {
          hint: 'Call daemon.hello with {"protocol": 1} first.',
        });
      }
      const handler = handlers[name] as Handler<MethodName>;
      return handler(validated(name, params) as never, context, session);
    },
  };
}

function validated(name: MethodName, params: unknown): unknown {
  const schema: z.ZodType = methods[name].params;
  const { success, data, error } = schema.safeParse(params);
  if (success) return data;
  const issues = error.issues.slice(0, ISSUES_TOLD_MAX).map(({ path, message }) => ({
    path: path.map(String).join('.'),
    message,
  }));
  const state = issues
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
    .join('; ');
  throw cannot('INVALID_PARAMS', 'call', name, state, {
    hint: 'rpc.discover describes the params of every method.',
    details: { issues },
  });
}
