import type { Settings, SourceSettings } from '../config/settings.ts';
import { cannot } from '../kernel/errors.ts';
import type { StoreReader } from '../store/store.ts';
import type { ApiContext } from './context.ts';

/** A source by id or name. @throws NOT_FOUND */
export function findSource(settings: Settings, reference: string): SourceSettings {
  const source =
    settings.sources.find(({ id }) => id === reference) ??
    settings.sources.find(({ name }) => name === reference);
  if (source !== undefined) return source;
  const names = settings.sources.map(({ name }) => name).join(', ');
  throw cannot('NOT_FOUND', 'find source', reference, 'no source has this id or name', {
    hint: `Configured sources: ${names || 'none'}.`,
  });
}

/**
 * The id of a source whose snapshots are meant: a configured one, or one that only the repository still knows.
 * @throws NOT_FOUND
 */
export function snapshotSourceId(
  settings: Settings,
  reader: StoreReader,
  reference: string,
): string {
  const isConfigured = settings.sources.some(({ id, name }) => [id, name].includes(reference));
  const former = isConfigured
    ? undefined
    : reader
        .listSnapshots()
        .find(({ sourceId, sourceName }) => [sourceId, sourceName].includes(reference));
  return former?.sourceId ?? findSource(settings, reference).id;
}

/** The same where there may be no repository yet. @throws NOT_FOUND */
export function sourceIdOf(
  { settings }: Pick<ApiContext, 'settings'>,
  reader: StoreReader | null,
  reference: string,
): string {
  if (reader === null) return findSource(settings, reference).id;
  return snapshotSourceId(settings, reader, reference);
}

/** The source that is meant, or the only one. @throws NOT_FOUND; INVALID_PARAMS when several could be meant */
export function sourceOrOnly(settings: Settings, reference: string | undefined): SourceSettings {
  if (reference !== undefined) return findSource(settings, reference);
  const [only, ...others] = settings.sources;
  if (only !== undefined && others.length === 0) return only;
  const names = settings.sources.map(({ name }) => name).join(', ');
  throw cannot(
    'INVALID_PARAMS',
    'choose a source',
    '',
    `${settings.sources.length} are configured`,
    {
      hint: `Name one of them: ${names || 'none'}.`,
    },
  );
}
