import { messageOf } from '../kernel/errors.ts';
import { type ResolveRequest, resolveSettings } from './resolve-settings.ts';
import { isLayer, layerPaths } from './setting-layers.ts';
import type { Settings } from './settings.ts';
import {
  applyChanges,
  type BaseDocument,
  documentSources,
  NO_CHANGES,
  type SettingsChanges,
} from './settings-changes.ts';

/** A stored change that does not fit what the daemon was started with. */
export interface SetAsideChange {
  /** Null: the top-level options. */
  readonly sourceId: string | null;
  readonly reason: string;
}

/** File and flags as one document. */
export function baseDocument({ document, overrides }: ResolveRequest): BaseDocument {
  const written = isLayer(document.value) ? document.value : {};
  const laid = [...overrides].map(([key, { value }]) => [key, value] as const);
  return { ...written, ...Object.fromEntries(laid) };
}

/**
 * The settings with changes laid over them. What a flag or a variable says of a top-level option wins over a
 * change, as it wins over the file. @throws CONFIG_INVALID, INVALID_CRON naming all problems at once
 */
export function resolveChangedSettings(
  request: ResolveRequest,
  changes: SettingsChanges,
): Promise<Settings> {
  const { sources: _, ...flags } = Object.fromEntries(request.overrides);
  return resolveSettings({
    ...request,
    document: { value: applyChanges(baseDocument(request), changes), locate: () => null },
    origin: 'the settings with this change',
    overrides: new Map(Object.entries(flags)),
  });
}

/**
 * For the start: changes that no longer fit, since the file was edited meanwhile, are left out one by one, never
 * more than needed. While a change is left out, nothing is removed on the word of what is left: it may have been
 * the change that kept it.
 * @throws what is wrong with the configuration itself
 */
export async function resolveStoredChanges(
  request: ResolveRequest,
  stored: SettingsChanges,
): Promise<{ settings: Settings; setAside: readonly SetAsideChange[] }> {
  try {
    return { settings: await resolveChangedSettings(request, stored), setAside: [] };
  } catch {
    return resolvePiecewise(request, stored);
  }
}

async function resolvePiecewise(request: ResolveRequest, stored: SettingsChanges) {
  let settings = await resolveSettings(request);
  let accepted = NO_CHANGES;
  const setAside: SetAsideChange[] = [];
  const attempt = async (next: SettingsChanges, sourceId: string | null): Promise<void> => {
    try {
      settings = await resolveChangedSettings(request, next);
      accepted = next;
    } catch (error) {
      setAside.push({ sourceId, reason: messageOf(error) });
    }
  };
  await attempt({ ...NO_CHANGES, settings: stored.settings }, null);
  for (const [id, change] of Object.entries(stored.sources)) {
    await attempt({ ...accepted, sources: { ...accepted.sources, [id]: change } }, id);
  }
  return { settings: withoutRemoval(settings, setAside), setAside };
}

function withoutRemoval(settings: Settings, setAside: readonly SetAsideChange[]): Settings {
  const ids = new Set(setAside.map(({ sourceId }) => sourceId));
  const isAll = ids.has(null);
  return Object.freeze({
    ...settings,
    ...(isAll
      ? { retention: null, quarantine: { ...settings.quarantine, maxCount: null, maxAgeMs: null } }
      : {}),
    sources: settings.sources.map((source) =>
      isAll || ids.has(source.id) ? { ...source, retention: null } : source,
    ),
  });
}

/** Where a value that is no default comes from: `change`, the name of a flag or variable, or `configuration`. */
export function valueOrigins(
  request: ResolveRequest,
  changes: SettingsChanges,
): Record<string, string> {
  const base = baseDocument(request);
  const { sources: _, ...top } = base;
  const origins = new Map<string, string>();
  const note = (paths: readonly string[], origin: string): void => {
    for (const path of paths) origins.set(path, origin);
  };
  note(layerPaths(top), 'configuration');
  note(layerPaths(changes.settings), 'change');
  for (const [key, { origin }] of request.overrides)
    if (key !== 'sources') origins.set(key, origin);
  const sourcesOrigin = request.overrides.get('sources')?.origin ?? 'configuration';
  for (const { id, value } of documentSources(base)) {
    if (isLayer(value)) note(layerPaths(value, `sources.${id}.`), sourcesOrigin);
  }
  for (const [id, change] of Object.entries(changes.sources)) {
    if (change.kind !== 'removed') note(layerPaths(change.value, `sources.${id}.`), 'change');
  }
  return Object.fromEntries(origins);
}
