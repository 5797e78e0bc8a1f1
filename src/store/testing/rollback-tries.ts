import type { HeadHistory, Picture } from './head-history.ts';
import { pictureOf, putBack } from './head-history.ts';

/** Every earlier version of every file put back, one after the other. */
export interface RollbackTries {
  readonly changes: number;
  /** Files put back or taken away alone. */
  files: number;
  /** Times the whole repository was put back. */
  whole: number;
  readonly unnoticed: string[];
  readonly falseAlarms: string[];
}

/** Changes after which files are put back, besides at the end. */
const TRY_EVERY = 15;

/** Repeatable numbers from 0 below 1. */
export function drawing(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

export async function tryRollbacks(
  history: HeadHistory,
  changes: number,
  seed: number,
): Promise<RollbackTries> {
  const tries: RollbackTries = { changes, files: 0, whole: 0, unnoticed: [], falseAlarms: [] };
  const draw = drawing(seed);
  for (let at = 0; at < changes; at += 1) {
    // The first ones, so that there is something to change.
    const kind = await history.step(at < 3 ? () => 0 : draw);
    const found = await history.findings();
    if (found.length > 0) tries.falseAlarms.push(`${at} ${kind}: ${found[0]!.message}`);
    // At other states than the last one too.
    if (at % TRY_EVERY === TRY_EVERY - 1 && at < changes - 1) await tryFiles(history, tries);
  }
  const sound = await history.check();
  if (!sound.ok) tries.falseAlarms.push(JSON.stringify(sound.findings));
  await tryFiles(history, tries);
  await tryWhole(history, tries);
  return tries;
}

async function tryFiles(history: HeadHistory, tries: RollbackTries): Promise<void> {
  const now = await pictureOf(history.path);
  const tried = new Set<string>();
  for (const [at, before] of history.pictures.slice(0, -1).entries()) {
    for (const name of new Set([...before.keys(), ...now.keys()])) {
      const then = before.get(name);
      if (isSame(then, now.get(name))) continue;
      // Packs that nothing needs any more add nothing: what they hold is named by its content.
      if (name.startsWith('packs/') && then !== undefined) continue;
      const version = `${name} ${then?.toString('base64') ?? ''}`;
      if (tried.has(version)) continue;
      tried.add(version);
      await putBack(history.path, name, then);
      tries.files += 1;
      if (!(await isNoticed(history, name))) tries.unnoticed.push(`${name} as after ${at}`);
      await putBack(history.path, name, now.get(name));
    }
  }
}

/** Notes of snapshots that are gone say nothing of any other, and are told of as such. */
async function isNoticed(history: HeadHistory, name: string): Promise<boolean> {
  const report = await history.check();
  const isOrphan = report.findings.some(
    ({ code, path }) => code === 'NOTES_ORPHANED' && path === name,
  );
  return !report.ok || isOrphan || report.findings.some(({ code }) => code === 'KEY_SLOT_DROPPED');
}

async function tryWhole(history: HeadHistory, tries: RollbackTries): Promise<void> {
  const now = await pictureOf(history.path);
  for (const [at, before] of history.pictures.slice(0, -1).entries()) {
    await history.restore(before);
    tries.whole += 1;
    const codes = (await history.check()).findings.map(({ code }) => code);
    if (!codes.includes('ROLLED_BACK')) tries.unnoticed.push(`all of it as after ${at}`);
    // Sound in itself: only who has seen it later can tell.
    const alone = await history.findings(null);
    if (alone.length > 0) tries.falseAlarms.push(`alone, after ${at}: ${alone[0]!.message}`);
  }
  await history.restore(now as Picture);
}

const isSame = (left: Buffer | undefined, right: Buffer | undefined): boolean =>
  left === undefined || right === undefined ? left === right : left.equals(right);

export const describeTries = ({ unnoticed, falseAlarms }: RollbackTries, seed: number): string =>
  [`HOLDFAST_TEST_SEED=${seed}`, ...unnoticed, ...falseAlarms].join('\n');
