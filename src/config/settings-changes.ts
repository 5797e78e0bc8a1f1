import { cannot } from '../kernel/errors.ts';
import { slug } from './option-values.ts';
import { isLayer, type Layer, overlaid, patched } from './setting-layers.ts';

/**
 * What was changed while the daemon ran, kept apart from what it was started with, so that both can change: a layer
 * over the top-level options, and for each source, by its immutable id, what was done to it.
 */
export interface SettingsChanges {
  readonly settings: Layer;
  readonly sources: { readonly [id: string]: SourceChange };
}

export type SourceChange =
  | { readonly kind: 'added'; readonly value: Layer }
  | { readonly kind: 'patched'; readonly value: Layer }
  /** Of a source that the configuration names; one that was added is simply taken out again. */
  | { readonly kind: 'removed' };

export const NO_CHANGES: SettingsChanges = { settings: {}, sources: {} };

/** Places and sockets that are in use from the first moment to the last. */
const FIXED_OPTIONS: readonly string[] = [
  'stateDirectory',
  'repositoryDirectory',
  'repositoryKey',
  'socketPath',
  'socketGroup',
];

/** The configuration as it was started with: file and flags, before any default. */
export type BaseDocument = Layer;

/** The id that a source of a document has, or is given. */
function idOf(source: unknown): string | null {
  if (!isLayer(source)) return null;
  const { id, name } = source;
  if (typeof id === 'string') return id;
  return typeof name === 'string' ? slug(name) : null;
}

/** Null id: the validation says what is wrong with it. */
export function documentSources(base: BaseDocument): { id: string | null; value: unknown }[] {
  return sourcesOf(base).map((value) => ({ id: idOf(value), value }));
}

function sourcesOf(base: BaseDocument): readonly unknown[] {
  const sources = base['sources'];
  return Array.isArray(sources) ? sources : [];
}

const baseSource = (base: BaseDocument, id: string): unknown =>
  sourcesOf(base).find((source) => idOf(source) === id);

/** The document with the changes laid over it. A patch of a source that is not there any more does nothing. */
export function applyChanges(base: BaseDocument, changes: SettingsChanges): Layer {
  const { sources: _, ...rest } = base;
  const configured = sourcesOf(base).flatMap((source) => {
    const id = idOf(source);
    const change = id === null ? undefined : changes.sources[id];
    if (change === undefined || change.kind === 'added') return [source];
    // The id is written out: made from the name, it would change with it.
    return change.kind === 'removed' ? [] : [{ ...overlaid(source, change.value), id }];
  });
  const added = Object.entries(changes.sources).flatMap(([id, change]) =>
    change.kind === 'added' ? [{ ...change.value, id }] : [],
  );
  return { ...overlaid(rest, changes.settings), sources: [...configured, ...added] };
}

/** @throws SETTING_FIXED for what only a restart can change, INVALID_PARAMS for sources */
export function changeSettings(changes: SettingsChanges, patch: Layer): SettingsChanges {
  const fixed = Object.keys(patch).find((key) => FIXED_OPTIONS.includes(key));
  if (fixed !== undefined) {
    throw cannot('SETTING_FIXED', 'change', fixed, 'it is in use as long as the daemon runs', {
      hint: 'Change it in the configuration file or on the command line of the daemon, and restart it.',
      details: { option: fixed },
    });
  }
  if (Object.hasOwn(patch, 'sources')) {
    throw cannot('INVALID_PARAMS', 'change', 'sources', 'sources have methods of their own', {
      hint: 'Use source.add, source.update, source.rename and source.remove.',
    });
  }
  return { ...changes, settings: patched(changes.settings, patch) };
}

/** @throws INVALID_PARAMS where no id can be made or it is taken */
export function addSource(
  changes: SettingsChanges,
  base: BaseDocument,
  source: Layer,
): { changes: SettingsChanges; id: string } {
  const id = idOf(source);
  if (id === null) {
    throw cannot('INVALID_PARAMS', 'add', 'source', 'no identifier can be made of its name', {
      hint: 'Give it an "id" of 1 to 64 of a-z, 0-9, dot, underscore and hyphen.',
    });
  }
  const isConfigured = baseSource(base, id) !== undefined;
  if (isConfigured && changes.sources[id]?.kind === 'removed') {
    throw cannot('INVALID_PARAMS', 'add', id, 'the configuration has a source of this id', {
      hint: `It was removed while the daemon ran: bring it back with source.reset, then change it.`,
    });
  }
  if (isConfigured || changes.sources[id] !== undefined) {
    throw cannot('INVALID_PARAMS', 'add', id, 'there is a source of this id already', {
      hint: 'Choose another name or id, or change that one with source.update.',
    });
  }
  return { id, changes: withSource(changes, id, { kind: 'added', value: source }) };
}

/** @throws INVALID_PARAMS for another id: snapshots belong to it */
export function changeSource(changes: SettingsChanges, id: string, patch: Layer): SettingsChanges {
  if (Object.hasOwn(patch, 'id') && patch['id'] !== id) {
    throw cannot('INVALID_PARAMS', 'change', id, 'the id of a source never changes', {
      hint: 'Its snapshots belong to it. To call the source something else, change its name.',
    });
  }
  const change = changes.sources[id];
  if (change?.kind === 'added') {
    return withSource(changes, id, { kind: 'added', value: patched(change.value, patch) });
  }
  const layer = patched(change?.kind === 'patched' ? change.value : {}, patch);
  return withSource(
    changes,
    id,
    Object.keys(layer).length === 0 ? null : { kind: 'patched', value: layer },
  );
}

export function removeSource(
  changes: SettingsChanges,
  base: BaseDocument,
  id: string,
): SettingsChanges {
  const isConfigured = baseSource(base, id) !== undefined;
  return withSource(changes, id, isConfigured ? { kind: 'removed' } : null);
}

/** As the configuration has it. A source that was added stays: removing it is said otherwise. @throws NOT_FOUND */
export function resetSource(
  changes: SettingsChanges,
  base: BaseDocument,
  id: string,
): SettingsChanges {
  if (baseSource(base, id) === undefined) {
    throw cannot('NOT_FOUND', 'reset', id, 'the configuration has no source of this id', {
      hint: 'A source that was added while the daemon ran is changed or removed, not reset.',
    });
  }
  return withSource(changes, id, null);
}

function withSource(
  changes: SettingsChanges,
  id: string,
  change: SourceChange | null,
): SettingsChanges {
  const { [id]: _, ...others } = changes.sources;
  return { ...changes, sources: change === null ? others : { ...others, [id]: change } };
}

/** Stored text as changes. Null: it is not what was written. */
export function parseChanges(value: unknown): SettingsChanges | null {
  if (!isLayer(value) || !isLayer(value['settings']) || !isLayer(value['sources'])) return null;
  const known = Object.values(value['sources']).every(
    (change) =>
      isLayer(change) &&
      (change['kind'] === 'removed' ||
        (['added', 'patched'].includes(String(change['kind'])) && isLayer(change['value']))),
  );
  return known ? (value as unknown as SettingsChanges) : null;
}
