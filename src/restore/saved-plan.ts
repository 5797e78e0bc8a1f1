import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory, removeDurably, writeFileDurably } from '../files/durable.ts';
import { cannot, messageOf, systemCode } from '../kernel/errors.ts';

/**
 * Plans that were shown, to be carried out as they were shown: <state>/plans/<planId>.json. What is kept is the
 * request and the fingerprint of plan and targets; the plan itself is made anew and compared.
 */
export interface SavedPlan {
  readonly planId: string;
  /** ISO UTC. */
  readonly at: string;
  /** As the restore operation takes them, the snapshot's id in full. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly fingerprint: string;
}

/** Older ones are forgotten: a plan is made to be carried out soon. */
const PLANS_MAX = 100;
const PLAN_ID = /^[0-9a-f]{32}$/;

const plansHome = (stateDirectory: string): string => join(stateDirectory, 'plans');

/** Keeps a plan; the same plan has the same id. */
export async function savePlan(
  stateDirectory: string,
  plan: Omit<SavedPlan, 'planId'>,
): Promise<string> {
  const { params, fingerprint } = plan;
  const hash = createHash('sha256').update(JSON.stringify([params, fingerprint]));
  const planId = hash.digest('hex').slice(0, 32);
  const home = plansHome(stateDirectory);
  await makeDirectory(home);
  await writeFileDurably(join(home, `${planId}.json`), JSON.stringify({ planId, ...plan }));
  await forgetOldest(home);
  return planId;
}

async function forgetOldest(home: string): Promise<void> {
  const names = (await readdir(home)).filter((name) => name.endsWith('.json'));
  if (names.length <= PLANS_MAX) return;
  const plans = await Promise.all(
    names.map(async (name) => ({ name, mtimeMs: (await stat(join(home, name))).mtimeMs })),
  );
  plans.sort((left, right) => right.mtimeMs - left.mtimeMs);
  for (const { name } of plans.slice(PLANS_MAX)) await removeDurably(join(home, name));
}

/** @throws NOT_FOUND */
export async function readPlan(stateDirectory: string, planId: string): Promise<SavedPlan> {
  const unknown = (state: string): Error =>
    cannot('NOT_FOUND', 'carry out plan', planId, state, {
      hint: 'Plan the restore again; only the newest plans are kept.',
    });
  if (!PLAN_ID.test(planId)) throw unknown('this is no plan id');
  try {
    const path = join(plansHome(stateDirectory), `${planId}.json`);
    return JSON.parse(await readFile(path, 'utf8')) as SavedPlan;
  } catch (error) {
    throw unknown(systemCode(error) === 'ENOENT' ? 'no such plan is kept' : messageOf(error));
  }
}
