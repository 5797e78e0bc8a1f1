import { isoTime } from '../kernel/clock.ts';
import type { HandlersOf } from './handler.ts';
import { decodeCursor, encodeCursor, withinBytes } from './pages.ts';

export const auditHandlers: HandlersOf<'audit'> = {
  'audit.list': ({ action, limit, cursor }, { audit }) => {
    const scope = ['audit.list', action ?? null];
    const before = cursor == null ? null : Number(decodeCursor(scope, cursor)[0]);
    const found = audit.list(action ?? null, before, limit + 1);
    const items = withinBytes(found.slice(0, limit));
    const last = items.at(-1);
    const more = found.length > items.length && last !== undefined;
    return {
      items: items.map((row) => ({ ...row, at: isoTime(row.at) })),
      nextCursor: more ? encodeCursor(scope, [last.sequence]) : null,
    };
  },
};
