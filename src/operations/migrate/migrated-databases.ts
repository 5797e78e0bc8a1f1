import type { MigrationSettings, Settings, SourceSettings } from '../../config/settings.ts';
import { cannot } from '../../kernel/errors.ts';
import { requireSource, sourceOrOnly } from '../operation.ts';

/** A database with the migrations that a source names for it. */
export interface MigratedDatabase {
  readonly source: SourceSettings;
  readonly settings: MigrationSettings;
}

export interface MigrationChoice {
  readonly sourceId?: string | undefined;
  /** Logical path. */
  readonly database?: string | undefined;
}

/** Every database meant. @throws NOT_FOUND */
export function migratedDatabases(
  settings: Settings,
  { sourceId, database }: MigrationChoice,
): MigratedDatabase[] {
  const sources = sourceId === undefined ? settings.sources : [requireSource(settings, sourceId)];
  const all = sources.flatMap((source) =>
    source.migrations.map((each) => ({ source, settings: each })),
  );
  const found = all.filter((each) => database === undefined || each.settings.database === database);
  if (found.length > 0 || (database === undefined && sourceId === undefined)) return found;
  const thing = database ?? sourceId ?? '';
  throw cannot('NOT_FOUND', 'find the migrations of', thing, 'none are configured', {
    hint: 'See `sources[].migrations` of the configuration.',
  });
}

/** The one database meant. @throws NOT_FOUND; INVALID_PARAMS where it could be several */
export function oneMigratedDatabase(settings: Settings, choice: MigrationChoice): MigratedDatabase {
  const sourceId = sourceOrOnly(settings, choice.sourceId).id;
  const [only, ...others] = migratedDatabases(settings, { ...choice, sourceId });
  if (only !== undefined && others.length === 0) return only;
  const names = [only, ...others].map((each) => each?.settings.database).join(', ');
  throw cannot('INVALID_PARAMS', 'choose a database of', sourceId, `it has ${names}`, {
    hint: 'Name one of them.',
  });
}
