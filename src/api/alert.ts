import type { HandlersOf } from './handler.ts';
import { decodeCursor, encodeCursor } from './pages.ts';

export const alertHandlers: HandlersOf<'alert'> = {
  'alert.list': ({ states, limit, cursor }, { alerts }) => {
    const scope = ['alert.list', states];
    const before = cursor == null ? null : Number(decodeCursor(scope, cursor)[0]);
    const found = alerts.list(states, before, limit + 1);
    const items = found.slice(0, limit);
    const last = items.at(-1);
    const more = found.length > limit && last !== undefined;
    return {
      items: items.map(({ alert }) => alert),
      nextCursor: more ? encodeCursor(scope, [last.sequence]) : null,
    };
  },
  'alert.ack': ({ id }, { alerts }) => alerts.acknowledge(id),
  'alert.resolve': ({ id }, { alerts }) => alerts.resolve(id),
};
