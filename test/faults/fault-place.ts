import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { Settings, SourceSettings } from '../../src/config/settings.ts';
import { testSettings, testSource } from '../../src/config/testing/settings.ts';
import type { JobKind } from '../../src/jobs/job.ts';
import type { WorkerStart } from '../../src/jobs/worker-messages.ts';
import { quietActivity } from '../../src/kernel/activity.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { runOperation } from '../../src/operations/run-operation.ts';

/** Brings a job to its end. @throws what the job failed of */
export type Perform = (start: WorkerStart) => Promise<Record<string, any>>;

/** Memory, where there is some to be had: thousands of cases are laid out anew. */
const FAST = '/dev/shm';

/** An application, its repository and its state in one directory, that can be put back as it was. */
export class FaultPlace {
  readonly root = realpathSync(mkdtempSync(join(existsSync(FAST) ? FAST : tmpdir(), 'hf-faults-')));
  readonly #elsewhere = realpathSync(mkdtempSync(join(tmpdir(), 'hf-faults-')));
  settings: Settings = this.#settings();
  #jobs = 0;

  at(...names: string[]): string {
    return join(this.root, 'place', ...names);
  }

  /** On another file system, where there is one. */
  get elsewhere(): string {
    return join(this.#elsewhere, 'place');
  }

  /** Empty again, with default settings changed by `settings` and its source by `source`. */
  clear(source: Partial<SourceSettings> = {}, settings: Partial<Settings> = {}): void {
    for (const path of [this.at(), this.elsewhere]) rmSync(path, { recursive: true, force: true });
    mkdirSync(this.at('data'), { recursive: true });
    mkdirSync(this.elsewhere);
    this.settings = { ...this.#settings(source), ...settings };
  }

  #settings(source: Partial<SourceSettings> = {}): Settings {
    const roots = [{ class: 'data', name: null, path: this.at('data'), required: true }] as const;
    const settings = testSettings(this.at(), { sources: [testSource({ roots, ...source })] });
    return { ...settings, prune: { ...settings.prune, graceMs: 0 } };
  }

  /** Remembers what is there. */
  keep(): void {
    for (const [from, to] of this.#copies()) {
      rmSync(to, { recursive: true, force: true });
      execFileSync('cp', ['-a', from, to]);
    }
  }

  /** Puts back what was kept. */
  reset(): void {
    for (const [to, from] of this.#copies()) {
      rmSync(to, { recursive: true, force: true });
      execFileSync('cp', ['-a', from, to]);
    }
  }

  #copies(): (readonly [place: string, copy: string])[] {
    return [
      [this.at(), join(this.root, 'kept')],
      [this.elsewhere, join(this.#elsewhere, 'kept')],
    ];
  }

  /** Runs one job as a worker would, in this process unless `perform` says otherwise. */
  run(kind: JobKind, params: Record<string, unknown> = {}): Promise<Record<string, any>> {
    this.#jobs += 1;
    const { lastJobId: jobId, settings } = this;
    return this.perform({ type: 'start', jobId, kind, params, settings });
  }

  get lastJobId(): string {
    return `job-${this.#jobs}`;
  }

  perform: Perform = (start) => runOperation(start, quietActivity(), systemClock);

  /** The database of the application: `rows` rows with `mark` in each, in WAL mode. */
  writeDatabase(mark: string, rows = 40): void {
    const database = new Database(this.at('data/app.db'));
    database.pragma('journal_mode = WAL');
    database.exec(`
      CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, mark TEXT, body BLOB);
      DELETE FROM notes;
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
      INSERT INTO notes SELECT i, '${mark} ' || i, zeroblob(1500 + i) FROM n;
    `);
    database.close();
  }

  put(name: string, content: string): void {
    writeFileSync(this.at(name), content);
  }

  putKey(name: string, digit: string): void {
    writeFileSync(this.at(name), `${digit.repeat(64)}\n`, { mode: 0o600 });
  }

  dispose(): void {
    for (const path of [this.root, this.#elsewhere]) rmSync(path, { recursive: true, force: true });
  }
}
