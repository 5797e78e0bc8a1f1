import type { SourceSettings } from '../../config/settings.ts';
import type { MigrationPurpose } from '../../migrations/migration-row.ts';
import { type Compatibility, compatibilityOf } from '../../migrations/plan-steps.ts';
import { readStepSet } from '../../migrations/step-set.ts';
import type { RestorePlan } from '../../restore/restore-request.ts';
import type { StoreReader } from '../../store/store.ts';
import {
  type MigrationOutcome,
  migrateStaged,
  migrationsOf,
  objectionTo,
  settleMigrations,
} from '../migrate/migrate-staged.ts';
import { versionInSnapshot } from '../migrate/schema-of-database.ts';
import type { OperationContext } from '../operation.ts';

export interface RestoreMigrationChoices {
  /** False: what is older comes back as it was. */
  readonly migrate: boolean;
  /** What is newer comes back as it was. */
  readonly allowNewer: boolean;
}

/** The databases of a restore, brought to the version of today before they are put in place. */
export class RestoreMigration {
  readonly #context: OperationContext;
  readonly #reader: StoreReader;
  readonly #source: SourceSettings | null;
  readonly #snapshotId: string;
  readonly #choices: RestoreMigrationChoices & { readonly purpose: MigrationPurpose };
  readonly #compatibility = new Map<string, Compatibility>();
  readonly #outcomes: MigrationOutcome[] = [];

  constructor(
    context: OperationContext,
    reader: StoreReader,
    ids: { readonly snapshotId: string; readonly sourceId: string },
    choices: RestoreMigrationChoices & { readonly purpose: MigrationPurpose },
  ) {
    this.#context = context;
    this.#reader = reader;
    this.#snapshotId = ids.snapshotId;
    this.#source = context.settings.sources.find(({ id }) => id === ids.sourceId) ?? null;
    this.#choices = choices;
  }

  /**
   * Looks at every database that the plan writes, before anything is extracted.
   * @throws SCHEMA_TOO_NEW, INVALID_PARAMS; in a dry run they are warnings
   */
  async inspect({ entries }: RestorePlan, dryRun: boolean): Promise<void> {
    for (const { type, action, logicalPath } of entries) {
      if (type !== 'database' || (action !== 'create' && action !== 'overwrite')) continue;
      const compatibility = await this.#compatibilityOf(logicalPath);
      if (compatibility === null) continue;
      const objection = this.#objectionTo(compatibility, dryRun);
      if (objection !== null) this.#context.activity.warn(objection);
    }
  }

  #objectionTo(compatibility: Compatibility, dryRun: boolean): string | null {
    try {
      return objectionTo(compatibility, this.#choices);
    } catch (error) {
      if (!dryRun) throw error;
      return `${compatibility.message}: the restore would be refused`;
    }
  }

  async #compatibilityOf(logicalPath: string): Promise<Compatibility | null> {
    const known = this.#compatibility.get(logicalPath);
    if (known !== undefined) return known;
    const settings = this.#source === null ? null : migrationsOf(this.#source, logicalPath);
    if (settings === null) return null;
    const set = await readStepSet(settings.directory);
    const image = { reader: this.#reader, snapshotId: this.#snapshotId };
    const version = await versionInSnapshot(image, settings, set, this.#context);
    const compatibility = compatibilityOf(logicalPath, version, set);
    this.#compatibility.set(logicalPath, compatibility);
    return compatibility;
  }

  /** For `RestoreRequest.onDatabaseStaged`; absent where there is nothing to do. */
  get hook(): ((logicalPath: string, stagedPath: string) => Promise<void>) | undefined {
    const source = this.#source;
    if (source === null || source.migrations.length === 0) return undefined;
    return async (logicalPath, stagedPath) => {
      const outcome = await migrateStaged(
        this.#context,
        source,
        logicalPath,
        stagedPath,
        this.#choices,
      );
      const { compatibility } = outcome;
      if (compatibility === null) return;
      this.#compatibility.set(logicalPath, compatibility);
      this.#outcomes.push(outcome);
    };
  }

  /** Runs the restore, then writes down whether what was migrated is in the place of the source's databases now. */
  async settling<Result>(inPlace: boolean, restore: () => Promise<Result>): Promise<Result> {
    try {
      const result = await restore();
      await this.#settle(inPlace);
      return result;
    } catch (error) {
      await this.#settle(false);
      throw error;
    }
  }

  async #settle(installed: boolean): Promise<void> {
    if (this.#outcomes.length > 0) await settleMigrations(this.#context, installed);
  }

  /** For the job's result. */
  get document(): {
    readonly compatibility: readonly Compatibility[];
    readonly migrations: readonly ({ readonly database: string } & MigrationOutcome['migration'])[];
  } {
    const migrations = this.#outcomes.map(({ database, migration }) => ({
      database,
      ...migration,
    }));
    return { compatibility: [...this.#compatibility.values()], migrations };
  }
}
