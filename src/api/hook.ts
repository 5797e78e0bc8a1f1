import type { HookPhase } from '../config/hook-settings.ts';
import { changeSettings, changeSource } from '../config/settings-changes.ts';
import type { HandlersOf } from './handler.ts';
import { findSource, sourceOrOnly } from './source-reference.ts';
import { submitJob } from './submit-job.ts';

const PHASES: readonly HookPhase[] = ['pre', 'post', 'preRestore', 'postRestore'];

export const hookHandlers: HandlersOf<'hook'> = {
  'hook.get': ({ sourceId }, { settings }) => {
    const source = findSource(settings, sourceId);
    const items = PHASES.flatMap((phase) => {
      const own = source.hooks[phase];
      const hook = own ?? settings.hooks[phase];
      if (hook === null || hook === false) return [];
      return [{ phase, ...hook, from: own === null ? ('default' as const) : ('source' as const) }];
    });
    return { items };
  },
  'hook.set': async ({ sourceId, phase, hook, expectVersion }, context) => {
    const { settings, configuration } = context;
    const patch = { hooks: { [phase]: hook } };
    const id = sourceId === undefined ? null : findSource(settings, sourceId).id;
    const version = await configuration.change(expectVersion, (changes) =>
      id === null ? changeSettings(changes, patch) : changeSource(changes, id, patch),
    );
    return { version };
  },
  'hook.test': ({ sourceId: reference, phase, idempotencyKey }, context) => {
    const sourceId = sourceOrOnly(context.settings, reference).id;
    return submitJob(context, {
      kind: 'hook',
      sourceId,
      params: { sourceId, phase },
      mutating: false,
      idempotencyKey,
    });
  },
};
