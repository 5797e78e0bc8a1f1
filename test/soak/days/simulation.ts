import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { JobDocument, MethodParams } from '../../../src/protocol/method-map.ts';
import { seededRandom } from '../../support/random.ts';
import { databaseBytes, entriesIn } from '../process-figures.ts';
import { Application, contentDigest } from './application.ts';
import {
  APPLICATIONS,
  DAY_MS,
  type DaysPlaces,
  HOUR_MS,
  QUARANTINE_MAX,
  writeConfiguration,
} from './days-setup.ts';
import { type KnownSnapshot, Model } from './model.ts';
import type { OrderedKill } from './ordered-kill.ts';
import { overwriteBytes } from './overwrite-bytes.ts';
import { SimulatedDaemon } from './simulated-daemon.ts';
import { fill, mountSmall, unmount } from './small-file-system.ts';

const MINUTE_MS = 60_000;
const CHANGES_A_DAY = 6;
const MINUTES_A_DAY = 1440;
const STATE_BYTES_MAX = 24 * 2 ** 20;
/** File systems note times in ticks: what is written after a jump must not count as written before it. */
const TICK_MS = 12;

/** What is done once a day, in turn; every one of them within this many days. */
export const DISTURBANCES = [
  'graceful restart',
  'restore in place',
  'worker killed',
  'pack damaged',
  'daemon killed',
  'database damaged',
  'disk full',
  'clock set back',
  'daemon killed at a step',
  'clock set forward',
] as const;
type Disturbance = (typeof DISTURBANCES)[number];

export interface SimulationFigures {
  days: number;
  restarts: number;
  kills: number;
  faults: number;
  recoveries: number;
  clockSteps: number;
  restored: number;
  restoredInPlace: number;
  changes: number;
}

/** Some days of a daemon's life under a seed, each held against the model. */
export class Simulation {
  readonly figures: SimulationFigures = {
    days: 0,
    restarts: 0,
    kills: 0,
    faults: 0,
    recoveries: 0,
    clockSteps: 0,
    restored: 0,
    restoredInPlace: 0,
    changes: 0,
  };
  readonly model: Model;
  readonly #places: DaysPlaces;
  readonly #random: () => number;
  readonly #applications: ReadonlyMap<string, Application>;
  readonly #daemon: SimulatedDaemon;
  readonly #canFill: boolean;
  #step = 'start';

  constructor(places: DaysPlaces, program: string, seed: number, startMs: number) {
    this.#places = places;
    this.#random = seededRandom(seed);
    writeConfiguration(places, seed % 2 === 1);
    this.#canFill = mountSmall(places.repository);
    this.#daemon = new SimulatedDaemon({ ...places, program }, startMs);
    this.#applications = new Map(
      APPLICATIONS.map((kind) => {
        return [kind.name, new Application(kind, places.application(kind.name), this.#random)];
      }),
    );
    this.model = new Model(this.#applications, startMs);
  }

  get nowMs(): number {
    return this.#daemon.nowMs;
  }

  /** What it was at, for whoever reads of a failure. */
  get step(): string {
    return `${new Date(this.nowMs).toISOString()}: ${this.#step}\n${this.#daemon.logTail()}`;
  }

  async begin(): Promise<void> {
    await pause(TICK_MS);
    await this.#daemon.start();
    await this.#reconcile();
  }

  async end(): Promise<void> {
    await this.#daemon.stop();
  }

  async dispose(): Promise<void> {
    await this.#daemon.kill();
    for (const application of this.#applications.values()) application.close();
    if (this.#canFill) unmount(this.#places.repository);
  }

  /** What an ordinary day, or a part of it, brings, and some disturbances, from the `first` on in their order. */
  async day(share: number, first: number, disturbances: number): Promise<void> {
    const startMs = this.nowMs;
    const endMs = startMs + share * DAY_MS;
    const works = this.#worksOfDay(first, disturbances);
    const times = works.map(() => this.#random()).sort();
    for (const [index, [name, work]] of works.entries()) {
      await this.#passUntil(
        startMs + Math.floor(times[index]! * share * MINUTES_A_DAY) * MINUTE_MS + 17_000,
      );
      await this.#do(name, work);
    }
    await this.#passUntil(endMs);
    await this.#do('daily look', () => this.#look());
    this.figures.days += share;
  }

  #worksOfDay(first: number, disturbances: number): [string, () => Promise<void>][] {
    const works: [string, () => Promise<void>][] = [];
    for (let count = 0; count < CHANGES_A_DAY; count += 1) {
      works.push(['change', () => this.#change(this.#anyApplication())]);
    }
    works.splice(2, 0, [
      'manual backup',
      () => this.#backup(this.#anyApplication()).then(() => {}),
    ]);
    works.splice(4, 0, ['pin', () => this.#pin()]);
    for (let count = 0; count < disturbances; count += 1) {
      const disturbance = DISTURBANCES[(first + count) % DISTURBANCES.length]!;
      works.splice(5 + 2 * count, 0, [disturbance, () => this.#disturb(disturbance)]);
    }
    return works;
  }

  async #do(step: string, work: () => Promise<void>): Promise<void> {
    this.#step = step;
    const known = this.model.problems.length;
    await work();
    if (this.#daemon.isUp) await this.#reconcile();
    for (const [index, problem] of this.model.problems.entries()) {
      if (index < known) continue;
      this.model.problems[index] = `${new Date(this.nowMs).toISOString()} (${step}) ${problem}`;
    }
  }

  async #reconcile(): Promise<void> {
    await this.model.reconcile(await this.#daemon.client(), this.nowMs);
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #anyApplication(): Application {
    return [...this.#applications.values()][this.#below(APPLICATIONS.length)]!;
  }

  /** Nothing but time: then what was due in it must be done. */
  async #passUntil(toMs: number): Promise<void> {
    const fromMs = this.nowMs;
    if (toMs <= fromMs) return;
    this.model.up(fromMs, toMs);
    await this.#do('time passes', async () => {
      if (!(await this.#daemon.advanceTo(toMs))) throw new Error('the daemon ended by itself');
    });
  }

  async #change(application: Application): Promise<void> {
    await pause(TICK_MS);
    application.change();
    this.figures.changes += 1;
  }

  async #run(submit: Parameters<SimulatedDaemon['run']>[0], status = 'succeeded') {
    const job = await this.#daemon.run(submit);
    if (job.status !== status) {
      this.model.problems.push(`${job.kind} ${job.status}: ${job.error?.message}`);
    }
    return job;
  }

  async #backup(application: Application, status = 'succeeded'): Promise<JobDocument> {
    const sourceId = application.kind.name;
    return this.#run((client) => client.call('snapshot.create', { sourceId }), status);
  }

  #anySnapshot(source?: string): KnownSnapshot | undefined {
    const all = [...this.model.snapshots.values()].filter(
      (each) => each.digest !== null && (source === undefined || each.source === source),
    );
    return all[this.#below(all.length)];
  }

  async #pin(): Promise<void> {
    const snapshot = this.#anySnapshot();
    if (snapshot === undefined) return;
    const method = snapshot.pinned ? 'snapshot.unpin' : 'snapshot.pin';
    await this.#run((client) => client.call(method, { ids: [snapshot.id] }));
    snapshot.pinned = !snapshot.pinned;
  }

  async #disturb(disturbance: Disturbance): Promise<void> {
    switch (disturbance) {
      case 'graceful restart':
        return this.#restart('stop');
      case 'daemon killed':
        return this.#restart('kill');
      case 'restore in place':
        return this.#restoreInPlace(this.#anyApplication());
      case 'worker killed':
        return this.#killAtStep('worker');
      case 'daemon killed at a step':
        return this.#killAtStep('daemon');
      case 'pack damaged':
        return this.#damagePack();
      case 'database damaged':
        return this.#damageDatabase();
      case 'disk full':
        return this.#fillDisk();
      case 'clock set back':
        return this.#setBack();
      case 'clock set forward':
        return this.#setForward();
    }
  }

  async #restart(how: 'stop' | 'kill', whileDown?: () => void): Promise<void> {
    if (how === 'stop') await this.#daemon.stop();
    else await this.#daemon.kill();
    if (how === 'stop') this.figures.restarts += 1;
    else this.figures.kills += 1;
    await this.#comeBack(whileDown);
  }

  async #comeBack(whileDown: () => void = () => {}): Promise<void> {
    const fromMs = this.nowMs;
    this.#daemon.sleepUntil(fromMs + 10 * MINUTE_MS + this.#below(14 * 60) * MINUTE_MS);
    await pause(TICK_MS);
    whileDown();
    await this.#daemon.start();
    this.model.down(fromMs, this.nowMs);
  }

  async #restoreInPlace(application: Application): Promise<void> {
    const source = application.kind.name;
    const snapshot = this.#anySnapshot(source);
    if (snapshot === undefined) return;
    application.close();
    await pause(TICK_MS);
    this.model.mayAppear('pre-restore', source, null);
    const request: MethodParams<'restore.run'> = {
      snapshotId: snapshot.id,
      target: { type: 'in-place' },
      confirm: source,
      replaceDatabases: true,
      mode: 'mirror',
    };
    await this.#run((client) => client.call('restore.run', request));
    this.model.restoredInPlace(source, this.nowMs);
    if (application.digest() !== snapshot.digest) {
      this.model.problems.push(`${source} is not as ${snapshot.id} was`);
    }
    this.figures.restoredInPlace += 1;
  }

  async #killAtStep(victim: OrderedKill['victim']): Promise<void> {
    const application = this.#anyApplication();
    const source = application.kind.name;
    await this.#change(application);
    const jobKind = (['backup', 'prune', 'backup', 'check'] as const)[this.#below(3)]!;
    const atStep = 1 + this.#below(24);
    this.#step = `${victim} killed at step ${atStep} of ${jobKind} of ${source}`;
    this.#daemon.orderKill({ jobKind, victim, atStep });
    this.model.expectedFailures.push({ kind: jobKind, source: null });
    if (jobKind === 'backup') this.model.mayAppear('manual', source, application.digest());
    const client = await this.#daemon.client();
    if (jobKind === 'backup') await client.call('snapshot.create', { sourceId: source });
    else await client.call('repository.prune', {});
    const lives = await this.#daemon.advanceTo(this.nowMs);
    rmSync(join(this.#places.root, 'kill.json'), { force: true });
    this.figures.kills += 1;
    if (!lives) {
      await this.#daemon.kill();
      await this.#comeBack();
    }
    await this.#reconcile();
    // Where it had fewer steps than that, nobody was killed.
    this.model.expectedFailures.length = 0;
  }

  async #damagePack(): Promise<void> {
    const packs = entriesIn(join(this.#places.repository, 'packs')).filter((path) =>
      path.endsWith('.pack'),
    );
    const path = packs[this.#below(packs.length)];
    if (path === undefined) return;
    this.figures.faults += 1;
    const putBack = overwriteBytes(path, Math.floor(statSync(path).size / 2), 64);
    this.model.expectedFailures.push({ kind: 'check', source: null });
    await this.#run((client) => client.call('repository.check', { readData: 'all' }), 'failed');
    await this.#reconcile();
    await this.model.checkAlerts(await this.#daemon.client());
    putBack();
    await this.#run((client) => client.call('repository.check', { readData: 'all' }));
  }

  async #damageDatabase(): Promise<void> {
    const withDatabase = [...this.#applications.values()].filter(
      ({ kind }) => kind.journalMode !== null,
    );
    const application = withDatabase[this.#below(withDatabase.length)]!;
    application.close();
    await pause(TICK_MS);
    await this.#daemon.advanceTo(this.nowMs + MINUTE_MS);
    this.model.up(this.nowMs - MINUTE_MS, this.nowMs);
    await this.#backup(application);
    await this.#reconcile();
    const digest = application.digest();
    this.figures.faults += 1;
    this.model.mayAppear('recovery', application.kind.name, null);
    const path = application.databasePath;
    const pages = Math.floor(statSync(path).size / 4096);
    await this.#restart(this.#below(2) === 0 ? 'stop' : 'kill', () => {
      for (let count = 0; count < 3; count += 1)
        overwriteBytes(path, (2 + this.#below(pages - 2)) * 4096, 4096);
    });
    if (application.digest() !== digest) {
      this.model.problems.push(`${application.kind.name} was not recovered as it was`);
    } else this.figures.recoveries += 1;
  }

  async #fillDisk(): Promise<void> {
    if (!this.#canFill) return;
    this.figures.faults += 1;
    const { repository } = this.#places;
    const application = this.#applications.get('plain')!;
    await pause(TICK_MS);
    const big = join(application.directory, 'files', 'big');
    writeFileSync(big, Buffer.from(Array.from({ length: 400_000 }, () => this.#below(256))));
    const empty = fill(repository);
    this.model.expectedFailures.push({ kind: 'backup', source: 'plain' });
    await this.#backup(application, 'failed');
    await this.#reconcile();
    await this.model.checkAlerts(await this.#daemon.client());
    empty();
    await this.#backup(application);
    // Its content is noted before it changes.
    await this.#reconcile();
    await pause(TICK_MS);
    rmSync(big);
  }

  async #setBack(): Promise<void> {
    this.figures.clockSteps += 1;
    const toMs = this.nowMs - (40 + this.#below(80)) * MINUTE_MS;
    await this.#daemon.setWall(toMs);
    this.model.setBack(toMs);
    // When intervals begin anew is only known to the half minute: until each has, nothing else may happen to them.
    await this.#passUntil(toMs + 12 * HOUR_MS + MINUTE_MS);
    await this.#reconcile();
  }

  async #setForward(): Promise<void> {
    this.figures.clockSteps += 1;
    const fromMs = this.nowMs;
    const toMs = fromMs + 2 * HOUR_MS + this.#below(600) * MINUTE_MS;
    await this.#daemon.setWall(toMs);
    this.model.down(fromMs, toMs);
    await this.#passUntil(toMs + MINUTE_MS);
  }

  /** Restores a snapshot elsewhere and compares its content. */
  async #proveRestorable(snapshot: KnownSnapshot): Promise<void> {
    const path = join(this.#places.root, 'restored');
    const target = { type: 'directory', path } as const;
    const request = { snapshotId: snapshot.id, target, check: 'none' } as const;
    await this.#run((client) => client.call('restore.run', request));
    const digest = contentDigest(join(path, 'data'));
    if (digest !== snapshot.digest) {
      this.model.problems.push(
        `${snapshot.source}: ${snapshot.id} does not restore to what it was of`,
      );
    }
    rmSync(path, { recursive: true, force: true });
    this.figures.restored += 1;
  }

  async #look(): Promise<void> {
    for (const snapshot of [this.#anySnapshot(), this.#anySnapshot()]) {
      if (snapshot !== undefined) await this.#proveRestorable(snapshot);
    }
    await this.#run((client) => client.call('repository.check', {}));
    await this.#reconcile();
    // Conditions are looked for every minute.
    await this.#passUntil(this.nowMs + 2 * MINUTE_MS);
    const client = await this.#daemon.client();
    await this.model.checkAlerts(client);
    const quarantine = await client.call('recovery.quarantineList', { limit: 200 });
    if (quarantine.items.length > QUARANTINE_MAX + 3) {
      this.model.problems.push(`${quarantine.items.length} are in quarantine`);
    }
    this.#lookAtFiles();
    await this.#lookAtSpace();
  }

  #lookAtFiles(): void {
    const { state } = this.#places;
    const bytes = databaseBytes(join(state, 'state.db'));
    if (bytes > STATE_BYTES_MAX) this.model.problems.push(`state.db has ${bytes} bytes`);
    const left = ['scratch', 'staging'].flatMap((name) => entriesIn(join(state, name)));
    if (left.length > 0) this.model.problems.push(`left behind: ${left}`);
    for (const { kind, directory, expectedEntries } of this.#applications.values()) {
      const found = readdirSync(directory).sort();
      if (JSON.stringify(found) === JSON.stringify(expectedEntries)) continue;
      this.model.problems.push(`${kind.name} has ${found}, not ${expectedEntries}`);
    }
  }

  /** Right after a prune there is nothing left to free, and packs take less than plain copies would. */
  async #lookAtSpace(): Promise<void> {
    await this.#run((client) => client.call('repository.prune', {}));
    const dry = await this.#run((client) => client.call('repository.prune', { dryRun: true }));
    const { packsDropped, packsRewritten } = dry.result as Record<string, number>;
    if (packsDropped! + packsRewritten! > 0) {
      this.model.problems.push(
        `a second prune would drop ${packsDropped} and rewrite ${packsRewritten}`,
      );
    }
    const { packBytes, rawBytes } = (await (await this.#daemon.client()).call('daemon.status', {}))
      .repository!;
    if (packBytes > rawBytes) this.model.problems.push(`packs take ${packBytes} of ${rawBytes}`);
  }

  /** Everything that is listed, and all of the repository. */
  async examineAll(): Promise<void> {
    await this.#do('last look', async () => {
      for (const snapshot of [...this.model.snapshots.values()]) {
        if (snapshot.digest !== null) await this.#proveRestorable(snapshot);
      }
      await this.#run((client) => client.call('repository.check', { readData: 'all' }));
    });
  }
}
