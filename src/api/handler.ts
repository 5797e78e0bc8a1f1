import type { MethodName, MethodResult, ValidParams } from '../protocol/method-map.ts';
import type { Peer } from '../rpc/connection.ts';
import type { ApiContext } from './context.ts';

/** One client, from its connection to its end. */
export interface Session {
  readonly peer: Peer;
  /** `daemon.hello` was answered. */
  greeted: boolean;
  /** As it called itself; null until `daemon.hello`, and where it gave no name. */
  client: string | null;
}

export type Handler<M extends MethodName> = (
  params: ValidParams<M>,
  context: ApiContext,
  session: Session,
) => MethodResult<M> | Promise<MethodResult<M>>;

/** The handlers of all methods of one noun: a method without a handler does not compile. */
export type HandlersOf<Noun extends string> = {
  readonly [M in Extract<MethodName, `${Noun}.${string}`>]: Handler<M>;
};
