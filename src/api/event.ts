import type { HandlersOf } from './handler.ts';

export const eventHandlers: HandlersOf<'event'> = {
  'event.subscribe': (params, { events, clock }, { peer }) =>
    events.subscribe(peer, params, clock.nowMs()),
  'event.unsubscribe': ({ subscriptionId }, { events }, { peer }) => ({
    ended: events.unsubscribe(peer, subscriptionId),
  }),
};
