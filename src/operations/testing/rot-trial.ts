import { readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { quietActivity } from '../../kernel/activity.ts';
import { systemClock } from '../../kernel/clock.ts';
import { HoldfastError } from '../../kernel/errors.ts';
import {
  acceptHead,
  type CheckReport,
  checkRepository,
  openReader,
  type RepairReport,
  repairRepository,
} from '../../store/repository.ts';
import { backup } from '../backup.ts';
import { listingOf, type RestoreAttempt, type RotBench, restoreAll } from './rot-bench.ts';
import { chosenOf, DAMAGES, type Damage, damageFile, seededRandom } from './rot-damage.ts';

export const FILE_KINDS = [
  'pack',
  'manifest',
  'notes',
  'descriptor',
  'catalog',
  'lock',
  'keySlot',
  'head',
] as const;
export type FileKind = (typeof FILE_KINDS)[number];

export interface Trial {
  readonly kind: FileKind;
  readonly damage: Damage;
  readonly file: string;
  /** By a check of all data, or by an error of ours where the repository could not even be opened. */
  readonly isDetected: boolean;
  readonly restoresExact: number;
  readonly restoresRefused: number;
  readonly snapshotsSaved: number;
  readonly snapshotsHealed: number;
  /** How a promise did not hold. */
  readonly failures: readonly string[];
}

const activity = quietActivity();
const DRY_RUN_SHARE = 0.3;

export function kindOf(path: string): FileKind | null {
  if (/^packs\/..\/.*\.pack$/.test(path)) return 'pack';
  if (path.startsWith('snapshots/')) return 'manifest';
  if (path.startsWith('notes/')) return 'notes';
  if (path.startsWith('keys/')) return 'keySlot';
  if (path === 'holdfast.json') return 'descriptor';
  if (path === 'head.json') return 'head';
  if (path.startsWith('catalog.db')) return 'catalog';
  if (path.startsWith('lock.db')) return 'lock';
  return null;
}

export function filesByKind(repository: string): Map<FileKind, string[]> {
  const found = new Map<FileKind, string[]>();
  for (const entry of readdirSync(repository, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = relative(repository, join(entry.parentPath, entry.name));
    const kind = kindOf(path);
    if (kind !== null) found.set(kind, [...(found.get(kind) ?? []), path].sort());
  }
  return found;
}

/** Damages one file of a copy of the bench's repository, and holds everything that is promised against it. */
export async function tryDamage(bench: RotBench, seed: number): Promise<Trial> {
  const trial = new RotTrial(bench, seed);
  return trial.run();
}

class RotTrial {
  readonly #bench: RotBench;
  readonly #random: () => number;
  readonly #path: string;
  readonly #failures: string[] = [];
  #exact = 0;
  #refused = 0;

  constructor(bench: RotBench, seed: number) {
    this.#bench = bench;
    this.#random = seededRandom(seed);
    this.#path = bench.copy('damaged');
  }

  async run(): Promise<Trial> {
    const { kind, damage, file } = this.#damageOne();
    const checked = await this.#orOurs('check', () =>
      checkRepository(this.#path, { readData: 'all', key: this.#bench.key }, activity),
    );
    const isDetected = checked instanceof HoldfastError || (checked !== null && isTelling(checked));
    const before = this.#failures.length;
    const isHarmless = await this.#restoreEverything(file);
    if (!isDetected && !isHarmless && this.#failures.length === before) {
      this.#failures.push('harm that the check did not find');
    }
    // Without the key, or with too few packs to tell what they are of, there is nothing to be done.
    const isOpen = !(checked instanceof HoldfastError) || isMendable(checked, kind);
    const saved = isOpen ? await this.#repair() : 0;
    const healed = isOpen ? await this.#backUp() : 0;
    return {
      kind,
      damage,
      file,
      isDetected,
      restoresExact: this.#exact,
      restoresRefused: this.#refused,
      snapshotsSaved: saved,
      snapshotsHealed: healed,
      failures: this.#failures,
    };
  }

  #damageOne(): { kind: FileKind; damage: Damage; file: string } {
    const files = filesByKind(this.#path);
    const kinds: FileKind[] = ['pack', 'pack', 'pack', 'manifest', 'manifest', 'notes', 'notes'];
    const weighted = [...kinds, ...(['descriptor', 'catalog', 'lock', 'keySlot', 'head'] as const)];
    for (;;) {
      const kind = chosenOf(this.#random, weighted);
      const candidates = files.get(kind);
      if (candidates === undefined) continue;
      const file = chosenOf(this.#random, candidates);
      const damage = chosenOf(this.#random, DAMAGES);
      const path = join(this.#path, file);
      const size = statSync(path).size;
      const twins = candidates.filter(
        (each) =>
          each !== file && (kind !== 'notes' || statSync(join(this.#path, each)).size === size),
      );
      const twin = twins.length === 0 ? null : join(this.#path, chosenOf(this.#random, twins));
      const old = join(this.#bench.older, file);
      const older = statSync(old, { throwIfNoEntry: false })?.isFile() === true ? old : null;
      if (damageFile(path, damage, this.#random, { twin, older })) return { kind, damage, file };
    }
  }

  /** The result, or the error where it is one of ours; anything else thrown is a failure. */
  async #orOurs<T>(what: string, run: () => Promise<T>): Promise<T | HoldfastError | null> {
    try {
      return await run();
    } catch (error) {
      if (error instanceof HoldfastError) return error;
      this.#failures.push(`${what}: ${error instanceof Error ? error.stack : String(error)}`);
      return null;
    }
  }

  /** True where everything is as it was before the damage. */
  async #restoreEverything(file: string): Promise<boolean> {
    const { key, listing } = this.#bench;
    const listed = await this.#orOurs('list', () => listingOf(this.#path, key));
    if (listed instanceof HoldfastError || listed === null) {
      this.#refused += this.#bench.truth.size;
      return false;
    }
    const isSame = idsOf(listed) === idsOf(listing);
    const refused = await this.#restoreAll('as damaged', (id, attempt) =>
      this.#judgeRefusals(id, attempt, file),
    );
    return isSame && refused === 0;
  }

  /** Every byte that is given out is right; what is not given out is refused by name. Returns how many were refused. */
  async #restoreAll(
    when: string,
    onRefused: (id: string, attempt: RestoreAttempt) => void,
  ): Promise<number> {
    const reader = await this.#orOurs('open', () => openReader(this.#path, this.#bench.key));
    if (reader === null || reader instanceof HoldfastError) return this.#bench.truth.size;
    let refused = 0;
    try {
      for (const [id, truth] of this.#bench.truth) {
        const attempt = await this.#orOurs(`${when}: restore`, () => restoreAll(reader, id));
        if (attempt === null || attempt instanceof HoldfastError) continue;
        for (const [path, hash] of attempt.files) {
          if (truth.get(path) !== hash) this.#failures.push(`${when}: ${id} ${path} is wrong`);
        }
        if (attempt.refused.size > 0) {
          refused += 1;
          this.#refused += 1;
          onRefused(id, attempt);
        } else if (attempt.files.size === truth.size) {
          this.#exact += 1;
        } else {
          this.#failures.push(`${when}: ${id} has ${attempt.files.size} of ${truth.size} files`);
        }
      }
    } finally {
      reader.close();
    }
    return refused;
  }

  #judgeRefusals(id: string, { refused }: RestoreAttempt, file: string): void {
    for (const [path, { code, message }] of refused) {
      const isTyped = ['VERIFY_FAILED', 'REPO_CORRUPT', 'NOT_FOUND'].includes(code);
      if (!isTyped || !/[0-9a-f]{64}/.test(message)) {
        this.#failures.push(`${id} ${path}: ${code} ${message} does not name what is damaged`);
      }
    }
    if (kindOf(file) !== 'manifest' && kindOf(file) !== 'pack' && kindOf(file) !== 'descriptor') {
      this.#failures.push(`${id} is refused though only ${file} was damaged`);
    }
    if (kindOf(file) === 'manifest' && !file.includes(id) && !refused.has('')) {
      this.#failures.push(`${id} is refused for the manifest of another`);
    }
  }

  /** Repairs, and holds the report against what restores now. Returns how many snapshots it says were saved. */
  async #repair(): Promise<number> {
    const { key, truth } = this.#bench;
    const options = { clock: systemClock, key, lockWaitMs: 5_000 };
    // It costs as much as the repair itself.
    const planned =
      this.#random() < DRY_RUN_SHARE
        ? await this.#orOurs('dry run', () =>
            repairRepository(this.#path, { ...options, dryRun: true }, activity),
          )
        : undefined;
    const done = await this.#orOurs('repair', () =>
      repairRepository(this.#path, { ...options, dryRun: false }, activity),
    );
    if (done === null || planned === null) return 0;
    if (done instanceof HoldfastError || planned instanceof HoldfastError) {
      const error = done instanceof HoldfastError ? done : planned;
      this.#failures.push(`repair: ${(error as HoldfastError).message}`);
      return 0;
    }
    if (planned !== undefined && statesOf(planned) !== statesOf(done)) {
      this.#failures.push(`the dry run foretold ${statesOf(planned)}, not ${statesOf(done)}`);
    }
    const states = new Map(done.snapshots.map((each) => [each.snapshotId, each]));
    for (const id of truth.keys()) {
      if (!states.has(id) && !done.manifestsLost.includes(id)) {
        const isThere = statSync(join(this.#path, 'snapshots', `${id}.json`), {
          throwIfNoEntry: false,
        });
        if (isThere !== undefined) this.#failures.push(`the repair says nothing of ${id}`);
      }
    }
    const before = this.#refused;
    await this.#restoreAll('after repair', (id, attempt) => {
      const told = states.get(id);
      if (told === undefined) return;
      if (told.state !== 'lost') {
        const [path, error] = [...attempt.refused][0]!;
        this.#failures.push(`${id} is said to be ${told.state}, but ${path}: ${error.message}`);
      }
      const paths = new Set(told.lost.map(({ path }) => path));
      for (const path of attempt.refused.keys()) {
        if (!paths.has(path)) this.#failures.push(`${id} ${path} is lost, and nothing says so`);
      }
    });
    this.#refused = before;
    await this.#checkAfter(done);
    return done.snapshotsRepaired;
  }

  async #checkAfter(done: RepairReport): Promise<void> {
    const { key } = this.#bench;
    if (key !== null) {
      // What is gone from an encrypted repository is told of until a person says that it is right so.
      const memory = { seen: null, remember: async () => {} };
      const options = { clock: systemClock, key, lockWaitMs: 5_000, memory };
      await this.#orOurs('accept', () => acceptHead(this.#path, options));
    }
    const report = await this.#orOurs('check after repair', () =>
      checkRepository(this.#path, { readData: 'all', key }, activity),
    );
    if (report === null || report instanceof HoldfastError) {
      this.#failures.push(`check after repair: ${report?.message}`);
      return;
    }
    const ofLosses = new Set(['CONTENT_DAMAGED', 'OBJECT_MISSING', 'BASE_MISSING']);
    for (const finding of report.findings) {
      if (finding.severity !== 'error') continue;
      const isLoss =
        ofLosses.has(finding.code) ||
        (finding.code === 'OBJECT_DAMAGED' && finding.message.includes('no pack holds it'));
      if (isLoss && done.recordsLost + done.objectsMissing > 0) continue;
      this.#failures.push(`after repair: ${finding.code} ${finding.path}: ${finding.message}`);
    }
  }

  /** A backup of the live data is whole, and makes whole what it can. Returns how many older ones that was. */
  async #backUp(): Promise<number> {
    const { key } = this.#bench;
    const context = await this.#bench.context(this.#path);
    const result = await this.#orOurs('backup', () => backup.run(context, backup.params.parse({})));
    if (result === null || result instanceof HoldfastError) {
      this.#failures.push(`backup: ${result?.message}`);
      return 0;
    }
    const reader = await openReader(this.#path, key);
    try {
      const { files, refused } = await restoreAll(reader, String(result['snapshotId']));
      for (const [path, error] of refused) {
        this.#failures.push(`a new snapshot lacks ${path}: ${error.message}`);
      }
      for (const [path, hash] of this.#bench.liveFiles()) {
        if (files.get(path) !== hash) this.#failures.push(`a new snapshot has a wrong ${path}`);
      }
      const healed = (result['snapshotsHealed'] ?? []) as readonly string[];
      for (const id of healed) {
        if ((await restoreAll(reader, id)).refused.size > 0) {
          this.#failures.push(`${id} is said to be healed, and is not`);
        }
      }
      return healed.length;
    } finally {
      reader.close();
    }
  }
}

/** Tags and verifications are not part of what a snapshot is. */
const idsOf = (listing: string): string =>
  (JSON.parse(listing) as { id: string }[]).map(({ id }) => id).join();

const isMendable = ({ code }: HoldfastError, kind: FileKind): boolean =>
  kind === 'descriptor' && (code === 'REPO_UNINITIALISED' || code === 'UNSUPPORTED_FORMAT');

const isTelling = ({ findings }: CheckReport): boolean => findings.length > 0;

const statesOf = ({ snapshots, manifestsLost }: RepairReport): string =>
  [
    ...snapshots.map(({ shortId, state, bytesLost }) => `${shortId} ${state} ${bytesLost}`),
    ...manifestsLost,
  ]
    .sort()
    .join(', ');
