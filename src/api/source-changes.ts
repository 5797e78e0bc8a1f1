import { addSource, changeSource, removeSource, resetSource } from '../config/settings-changes.ts';
import type { MethodResult } from '../protocol/method-map.ts';
import type { ApiContext } from './context.ts';
import type { HandlersOf } from './handler.ts';
import { lintSources } from './source-lint.ts';
import { findSource } from './source-reference.ts';
import { submitJob } from './submit-job.ts';

type SourceChangeMethod =
  | 'source.add'
  | 'source.update'
  | 'source.rename'
  | 'source.remove'
  | 'source.reset'
  | 'source.coverage'
  | 'source.discover'
  | 'source.lint';

export const sourceChangeHandlers: Pick<HandlersOf<'source'>, SourceChangeMethod> = {
  'source.add': async ({ source, expectVersion }, context) => {
    let id = '';
    const version = await context.configuration.change(expectVersion, (changes, base) => {
      const added = addSource(changes, base, source);
      id = added.id;
      return added.changes;
    });
    return withWarnings(context, version, id);
  },
  'source.update': async ({ sourceId, patch, expectVersion }, context) => {
    const { id } = findSource(context.settings, sourceId);
    const version = await context.configuration.change(expectVersion, (changes) =>
      changeSource(changes, id, patch),
    );
    return withWarnings(context, version, id);
  },
  'source.rename': async ({ sourceId, name, expectVersion }, context) => {
    const { id } = findSource(context.settings, sourceId);
    const version = await context.configuration.change(expectVersion, (changes) =>
      changeSource(changes, id, { name }),
    );
    return withWarnings(context, version, id);
  },
  'source.remove': async ({ sourceId, expectVersion }, context) => {
    const id = changedSourceId(context, sourceId);
    const version = await context.configuration.change(expectVersion, (changes, base) =>
      removeSource(changes, base, id),
    );
    return { version, sourceId: id };
  },
  'source.reset': async ({ sourceId, expectVersion }, context) => {
    const id = changedSourceId(context, sourceId);
    const version = await context.configuration.change(expectVersion, (changes, base) =>
      resetSource(changes, base, id),
    );
    return { version, sourceId: id };
  },
  'source.coverage': ({ sourceId, idempotencyKey }, context) => {
    const { id } = findSource(context.settings, sourceId);
    return submitJob(context, {
      kind: 'coverage',
      sourceId: id,
      params: { sourceId: id },
      mutating: false,
      idempotencyKey,
    });
  },
  'source.discover': ({ directory, depth, idempotencyKey }, context) =>
    submitJob(context, {
      kind: 'discover',
      sourceId: null,
      params: { directory, depth },
      mutating: false,
      idempotencyKey,
    }),
  'source.lint': async ({ sourceId }, context) => {
    const only = sourceId === undefined ? null : findSource(context.settings, sourceId).id;
    return { items: await lintSources(context, context.settings, only) };
  },
};

/** A source that is in force, or one of which only a change is left. @throws NOT_FOUND */
function changedSourceId({ settings, configuration }: ApiContext, reference: string): string {
  return configuration.hasChangeOf(reference) ? reference : findSource(settings, reference).id;
}

async function withWarnings(
  context: ApiContext,
  version: number,
  sourceId: string,
): Promise<MethodResult<'source.add'>> {
  const warnings = await lintSources(context, context.configuration.current, sourceId);
  return { version, sourceId, warnings };
}
