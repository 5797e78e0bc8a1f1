import type { HandlersOf } from './handler.ts';

export const healthHandlers: HandlersOf<'health'> = {
  'health.live': (_, { health }) => health.live(),
  'health.ready': (_, { health }) => health.ready(),
  'health.report': (_, { health }) => health.report(),
};
