import type { HandlersOf } from './handler.ts';

export const secretHandlers: HandlersOf<'secret'> = {
  'secret.set': async ({ name, value }, { secrets, clock }) => {
    await secrets.set(name, Buffer.from(value, 'utf8'), clock.nowMs());
    return { name };
  },
  'secret.clear': async ({ name }, { secrets }) => {
    await secrets.clear(name);
    return { name };
  },
  'secret.list': async (_, { secrets }) => ({ items: await secrets.list() }),
};
