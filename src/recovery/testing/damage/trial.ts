import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Activity, quietActivity } from '../../../kernel/activity.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { copyFamily } from '../../../sqlite/copy-family.ts';
import { openReader } from '../../../store/repository.ts';
import { chooseRepair } from '../../repair-database.ts';
import type { DatabaseState } from '../../report.ts';
import { SnapshotDatabases } from '../../snapshot-databases.ts';
import type { DamagedFamily, Kind } from './kind.ts';
import { kinds } from './kinds.ts';
import { provenDeleted } from './proven-deleted.ts';
import { Random } from './random.ts';
import { judge, type Rows, readRows, type Verdict } from './truth.ts';
import type { World } from './world.ts';

/** One damage to one database, and what each way out of it is worth, judged by the truth alone. */

const SIDECARS = ['-wal', '-journal'];

export interface CandidateVerdict extends Verdict {
  readonly name: string;
  readonly label: string;
  /** As it was scored, in words. */
  readonly score: string;
  /** Of all its attempts, gates and scoring included. */
  readonly durationMs: number;
}

export interface RecoveryOutcome extends Verdict {
  readonly state: DatabaseState;
  readonly reason: string;
  readonly durationMs: number;
  /** Rows that are there again though the damaged files themselves show that they were deleted. */
  readonly provenDeleted: readonly string[];
}

/** Reads a family through a copy, so that it stays as it is. */
function readFamily(path: string, sidecars: readonly string[], scratch: string): Rows {
  mkdirSync(scratch, { recursive: true });
  const copy = join(scratch, 'read.db');
  for (const suffix of ['', ...sidecars]) {
    if (existsSync(`${path}${suffix}`)) copyFileSync(`${path}${suffix}`, `${copy}${suffix}`);
  }
  try {
    return readRows(copy);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** An activity that measures how long the building of each candidate takes, as recovery reports it. */
class Stopwatch {
  readonly #durations = new Map<string, number>();
  #running: { readonly name: string; readonly startedMs: number } | null = null;

  readonly activity: Activity = {
    ...quietActivity(),
    progress: ({ phase }) => {
      const name = /^build (.*)/.exec(phase ?? '')?.[1];
      if (name !== undefined) this.#start(name);
    },
  };

  #start(name: string): void {
    this.stop();
    this.#running = { name, startedMs: systemClock.monotonicMs() };
  }

  stop(): void {
    if (this.#running === null) return;
    const { name, startedMs } = this.#running;
    this.#durations.set(name, systemClock.monotonicMs() - startedMs);
    this.#running = null;
  }

  durationMs(name: string): number {
    return this.#durations.get(name) ?? 0;
  }
}

export class Trial {
  readonly world: World;
  readonly kind: Kind;
  readonly damaged: DamagedFamily;
  readonly #scratch: string;
  /** What SQLite shows of the damaged files: as they are, and the database file alone. */
  readonly #shown: readonly Rows[];

  private constructor(world: World, kind: Kind, damaged: DamagedFamily) {
    this.world = world;
    this.kind = kind;
    this.damaged = damaged;
    this.#scratch = join(world.bench.directory, 'trial');
    this.#shown = [SIDECARS, []].map((sidecars) => this.#read(sidecars));
  }

  /** Damages the world's database; null where it has no place for this kind of damage. */
  static async start(world: World, kind: Kind): Promise<Trial | null> {
    const { shape, before, after, wal, foreignWal, map } = world;
    const random = new Random(shape.seed * 1_000 + kinds.indexOf(kind));
    const damaged = kind.damage({ shape, before, after, wal, foreignWal, map, random });
    if (damaged === null) return null;
    await world.place(damaged.family);
    return new Trial(world, kind, damaged);
  }

  #read(sidecars: readonly string[]): Rows {
    return readFamily(this.world.path, sidecars, join(this.#scratch, 'reading'));
  }

  #judge(rows: Rows): Verdict {
    return judge(rows, this.world.truth, this.#shown);
  }

  /** Rows that no recovery can get right: their bytes are gone, and the snapshot has them otherwise or not at all. */
  get unrecoverableRows(): number {
    const { map, truth } = this.world;
    let count = 0;
    for (const [table, keys] of map.rowsOn(this.damaged.lostPages)) {
      const rows = truth.rows.get(table);
      for (const key of keys) {
        const row = rows?.get(key);
        if (row !== undefined && truth.snapshot.get(table)?.get(key) !== row) count += 1;
      }
    }
    return count;
  }

  /** Every candidate that passes its gates, the one that recovery would choose first. Leaves the database alone. */
  async judgeCandidates(): Promise<CandidateVerdict[]> {
    const { bench, path } = this.world;
    const stopwatch = new Stopwatch();
    const { activity } = stopwatch;
    const reader = await openReader(bench.repository);
    try {
      const snapshots = new SnapshotDatabases(reader, bench.source, () => undefined);
      const pristine = join(this.#scratch, 'pristine');
      mkdirSync(pristine, { recursive: true });
      const options = { clock: systemClock, signal: activity.signal };
      const copy = await copyFamily(path, pristine, options);
      const { passed } = await chooseRepair(
        { database: path, snapshots, scratchDirectory: this.#scratch, rotten: true, all: true },
        copy,
        activity,
      );
      stopwatch.stop();
      return passed.map(({ name, label, score, path: built }) => ({
        name,
        label,
        durationMs: stopwatch.durationMs(name),
        score: `${score.notKept} not kept, ${score.missing} missing, ${score.resurrected} back`,
        ...this.#judge(readRows(built)),
      }));
    } finally {
      reader.close();
      await rm(this.#scratch, { recursive: true, force: true });
    }
  }

  /** What an application gets that opens the damaged database and reads on. */
  judgeSelect(): Verdict {
    return this.#judge(this.#shown[0]!);
  }

  /** A database that another program made of the damaged one. */
  judgeFile(path: string): Verdict {
    return this.#judge(readRows(path));
  }

  /** Recovers as a forced check does, and judges what is there then. */
  async recover(): Promise<RecoveryOutcome> {
    const startedMs = systemClock.monotonicMs();
    const { databases } = await this.world.bench.recover({ mode: 'force', acceptLoss: true });
    const durationMs = systemClock.monotonicMs() - startedMs;
    const { state, reason } = databases.find(({ path }) => path === this.world.path)!;
    const rows = this.#read(SIDECARS);
    const back = provenDeleted(this.world, this.damaged.family, rows);
    return { state, reason, durationMs, ...this.#judge(rows), provenDeleted: back };
  }
}

/** A hash of every file of a family, by what its name ends in. */
export function familyHashes(path: string): Readonly<Record<string, string>> {
  const present = ['', '-shm', ...SIDECARS].filter((suffix) => existsSync(`${path}${suffix}`));
  return Object.fromEntries(
    present.map((suffix) => {
      const hash = createHash('sha256').update(readFileSync(`${path}${suffix}`));
      return [suffix, hash.digest('hex')];
    }),
  );
}
