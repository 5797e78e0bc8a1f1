import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { SourceSettings } from '../../config/settings.ts';
import { testSettings } from '../../config/testing/settings.ts';
import { type Activity, quietActivity } from '../../kernel/activity.ts';
import { systemClock } from '../../kernel/clock.ts';
import { MigrationHistory } from '../../migrations/migration-history.ts';
import type { MigrationRow } from '../../migrations/migration-row.ts';
import { migrationSettings, ORDER_STEPS, writeSteps } from '../../migrations/testing/step-files.ts';
import { Workbench } from '../../recovery/testing/workbench.ts';
import { migrate } from '../migrate/migrate.ts';
import type { OperationContext } from '../operation.ts';

/** A source with migrations for its only database. */
export class MigrationBench {
  readonly bench: Workbench;
  readonly steps: string;
  readonly warnings: string[] = [];
  #jobs = 0;

  private constructor(bench: Workbench) {
    this.bench = bench;
    this.steps = writeSteps(join(bench.directory, 'steps'), ORDER_STEPS);
  }

  static async create(): Promise<MigrationBench> {
    return new MigrationBench(await Workbench.create());
  }

  remove(): Promise<void> {
    return this.bench.remove();
  }

  get path(): string {
    return this.bench.path('app.db');
  }

  async context(
    source: Partial<SourceSettings> = {},
    changes: Partial<Activity> = {},
  ): Promise<OperationContext> {
    const { bench } = this;
    const settings = testSettings(bench.directory, {
      stateDirectory: bench.state,
      repositoryDirectory: bench.repository,
      sources: [{ ...bench.source, migrations: [migrationSettings(this.steps)], ...source }],
    });
    this.#jobs += 1;
    const jobId = `job-${this.#jobs}`;
    const scratchDirectory = join(bench.state, 'scratch', jobId);
    await mkdir(scratchDirectory, { recursive: true });
    const warn = (message: string): number => this.warnings.push(message);
    const activity: Activity = { ...quietActivity(), warn, ...changes };
    return { activity, settings, clock: systemClock, jobId, scratchDirectory };
  }

  async run(
    params: object,
    source: Partial<SourceSettings> = {},
    changes: Partial<Activity> = {},
  ): Promise<any> {
    return migrate.run(await this.context(source, changes), migrate.params.parse(params));
  }

  live<Result>(use: (database: Database.Database) => Result): Result {
    const database = new Database(this.path);
    try {
      return use(database);
    } finally {
      database.close();
    }
  }

  version(): unknown {
    return this.live((database) => database.pragma('user_version', { simple: true }));
  }

  /** Makes the database, brings it to a version by its steps, and puts a customer with an order in it. */
  async makeDatabase(target?: string): Promise<void> {
    this.live((database) => database.pragma('journal_mode = WAL'));
    await this.run({ action: 'up', ...(target === undefined ? {} : { target }) });
    this.live((database) =>
      database.exec(
        "INSERT INTO customers (id, name) VALUES (1, 'Ada'); INSERT INTO orders (id, customerId, amount) VALUES (1, 1, 5)",
      ),
    );
  }

  /** Oldest first. */
  async history(): Promise<MigrationRow[]> {
    const warn = (message: string): number => this.warnings.push(message);
    const history = await MigrationHistory.open(this.bench.state, warn);
    try {
      return history.list({}, null, 100).reverse();
    } finally {
      history.close();
    }
  }
}
