import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { toErrorDocument } from '../../src/kernel/errors.ts';
import { type Fault, FaultInjector, type MetStep } from './fault-injector.ts';
import type { FaultPlace } from './fault-place.ts';
import type { FaultScenario } from './fault-scenarios.ts';
import {
  expectedCode,
  leftovers,
  listedSnapshots,
  unsoundRepository,
  unsoundSnapshots,
} from './fault-verdict.ts';

/** A scenario laid out once, with what it takes and what it makes. */
export interface Prepared {
  readonly scenario: FaultScenario;
  readonly steps: readonly MetStep[];
  readonly before: unknown;
  readonly after: unknown;
  /** That the work itself does not remove. */
  readonly kept: readonly string[];
  /** What the work leaves on purpose, such as what is staged for later. */
  readonly meant: readonly string[];
}

export interface Tried {
  readonly failed: boolean;
  readonly stepsFailed: number;
  readonly problems: readonly string[];
}

export async function prepareScenario(
  place: FaultPlace,
  scenario: FaultScenario,
): Promise<Prepared> {
  await scenario.prepare(place);
  place.keep();
  const before = await scenario.target(place);
  const listed = await listedSnapshots(place);
  const counter = await FaultInjector.start(null);
  try {
    await scenario.work(place);
  } finally {
    counter.stop();
  }
  const after = await scenario.target(place);
  const left = new Set(await listedSnapshots(place));
  const kept = listed.filter((id) => left.has(id));
  return { scenario, steps: counter.steps, before, after, kept, meant: leftovers(place) };
}

/** Lays the scenario out, lets it fail, mends the disk, does the work again; tells what of the promises did not hold. */
export async function tryFault(
  place: FaultPlace,
  prepared: Prepared,
  fault: Fault,
): Promise<Tried> {
  const { scenario } = prepared;
  place.reset();
  const problems: string[] = [];
  const injector = await FaultInjector.start(fault);
  const error = await failureOf(scenario.work(place));
  injector.stop();
  const met = injector.steps.filter(({ failed }) => failed);
  if (error !== null) problems.push(...unclear(error, fault));
  else if (met.length > 0) problems.push(...untold(met, injector.steps));
  problems.push(...retriedSyncs(injector.steps));
  endWorker(place);
  problems.push(...(await judgeAftermath(place, prepared, error)));
  return { failed: error !== null, stepsFailed: met.length, problems };
}

export const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => null,
    (thrown: unknown) => thrown ?? new Error('nothing was said'),
  );

/** Once the disk is mended: is everything old or new, can it be done again, and is nothing left over? */
export async function judgeAftermath(
  place: FaultPlace,
  { scenario, before, after, kept, meant }: Prepared,
  error: unknown,
  mayHaveDied = false,
): Promise<string[]> {
  const problems = await unsoundSnapshots(place);
  // What the daemon does once a job failed of its disk.
  await place.run('reconcile', { afterJob: place.lastJobId }).catch((thrown: unknown) => {
    problems.push(`what was left cannot be put in order: ${String(thrown)}`);
  });
  const state = await scenario.target(place);
  const isOld = isDeepStrictEqual(state, before);
  const isNew = isDeepStrictEqual(state, after);
  if (!isOld && !isNew) problems.push(`neither old nor new: ${JSON.stringify(state)}`);
  if (error === null && !isNew) problems.push('it was called done, and is not');
  problems.push(...(await again(place, scenario, isOld || !isNew)));
  const listed = new Set(await listedSnapshots(place));
  for (const id of kept) if (!listed.has(id)) problems.push(`snapshot ${id} is gone`);
  problems.push(...(await unsoundRepository(place)));
  // A process that died in the middle of a small write leaves it to the next start.
  if (mayHaveDied && beyond(leftovers(place), meant).length > 0) await place.run('reconcile');
  problems.push(...beyond(leftovers(place), meant));
  return problems;
}

/** Names of what is staged are new each time. */
const nameless = (text: string): string => text.replaceAll(/[0-9a-f-]{12,}/g, 'x');

function beyond(found: readonly string[], meant: readonly string[]): string[] {
  const left = meant.map(nameless);
  return found.filter((each) => {
    const index = left.indexOf(nameless(each));
    if (index >= 0) left.splice(index, 1);
    return index < 0;
  });
}

/** A number that no process has. */
const NO_PID = 4_194_305;

/** Staging is left alone as long as its process lives, which here is that of the test. */
export function endWorker(place: FaultPlace): void {
  const home = join(place.settings.stateDirectory, 'staging');
  for (const name of existsSync(home) ? readdirSync(home) : []) {
    if (!name.endsWith('.json')) continue;
    const record = JSON.parse(readFileSync(join(home, name), 'utf8')) as object;
    writeFileSync(join(home, name), JSON.stringify({ ...record, pid: NO_PID }));
  }
}

async function again(
  place: FaultPlace,
  scenario: FaultScenario,
  isOld: boolean,
): Promise<string[]> {
  try {
    if (isOld || scenario.once !== true) await scenario.work(place);
    // The next writer of all finds nothing left to do.
    await place.run('backup');
    return [];
  } catch (error) {
    return [`done again, it fails: ${error instanceof Error ? error.stack : String(error)}`];
  }
}

function unclear(error: unknown, { code }: Fault): string[] {
  const document = toErrorDocument(error);
  if (document.code === expectedCode(code)) return [];
  return [`the error says ${document.code}, not ${expectedCode(code)}: ${document.message}`];
}

/** Steps without which a work is done all the same: what they remove or note is found again by the next one. */
const OPTIONAL: readonly { readonly step: RegExp; readonly path: RegExp }[] = [
  // A repository that may only be read has no leases: nobody who could remove a snapshot there needs to know.
  { step: /./, path: /\/leases(\/|$)/ },
  // Where no second name can be had, there is a copy or a move.
  { step: /^link$/, path: /\/(quarantine|\.holdfast-staging-[0-9a-f]+)\// },
  // What became of a migration that is in place already is looked up by the next start.
  { step: /^(mkdir|sqlite-commit)$/, path: /\/state(\/migrations\.db)?$/ },
  // A directory of somebody else keeps its own mode and time, with a warning; its names were synced before.
  { step: /^fsync-directory$/, path: /\/(out|data)(\/|$)/ },
];

const isWriteOfHead = ({ step, path }: MetStep): boolean =>
  step === 'write' && path.endsWith('.head.json');

/**
 * Where the last writing of an encrypted repository's head begins: it says what came of what was intended, which the
 * next writer finds out by itself. That something is intended, which is written before, must not fail unheard.
 */
function settlingOf(all: readonly MetStep[]): number {
  const writes = all.flatMap((each, index) => (isWriteOfHead(each) ? [index] : []));
  return writes.length < 2 ? all.length : writes.at(-1)!;
}

function untold(met: readonly MetStep[], all: readonly MetStep[]): string[] {
  const settling = settlingOf(all);
  return met
    .filter((each) => all.indexOf(each) < settling)
    .filter(
      (each) => !OPTIONAL.some(({ step, path }) => step.test(each.step) && path.test(each.path)),
    )
    .map(({ step, path }) => `nobody was told that a step failed: ${step} ${path}`);
}

/** After a failed sync the kernel may have dropped what was not written: a second one that succeeds proves nothing. */
function retriedSyncs(steps: readonly MetStep[]): string[] {
  const failed = new Set<string>();
  const problems: string[] = [];
  for (const { step, path, failed: isFailed } of steps) {
    if (step === 'write') failed.delete(path);
    if (step !== 'fsync') continue;
    if (failed.has(path)) problems.push(`a sync that failed was tried again: ${path}`);
    if (isFailed) failed.add(path);
  }
  return problems;
}
