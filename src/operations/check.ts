import { z } from 'zod';
import { cannot, HoldfastError } from '../kernel/errors.ts';
import {
  type CheckReport,
  checkRepository,
  FoundDamage,
  isDamageKnown,
  type KeyMaterial,
  recordDamage,
} from '../store/repository.ts';
import type { Operation, OperationContext } from './operation.ts';
import { repairDamage } from './repair.ts';
import { LOCK_WAIT_MS } from './repository-access.ts';
import { repositoryKey } from './repository-key.ts';
import { seenHead } from './seen-heads.ts';

const parameters = z.strictObject({
  readData: z
    .union([
      z.literal('none'),
      z.literal('all'),
      z.strictObject({
        percent: z.number().gt(0).max(100),
        seed: z.int().nonnegative().default(0),
      }),
    ])
    .default('none'),
  /** Saves what can be saved; all data is then read, whatever `readData` says. */
  repair: z.boolean().default(false),
  /** With `repair`: only tells what can be saved. */
  dryRun: z.boolean().default(false),
});

type CheckParameters = z.infer<typeof parameters>;

/** Checks the repository itself: its structure, and as much of its data as asked for; or repairs it. */
export const check: Operation<CheckParameters> = {
  kind: 'check',
  params: parameters,
  async run(context, { readData, repair, dryRun }) {
    if (repair) return repairDamage(context, dryRun);
    const { activity, settings } = context;
    const path = settings.repositoryDirectory;
    const key = await repositoryKey(settings);
    // Before anything of it is read: a writer meanwhile only moves on.
    const seen = key === null ? null : await seenHead(settings);
    const look = (damage: FoundDamage): Promise<CheckReport> =>
      checkRepository(path, { readData, key, seen, damage }, activity);
    const isAll = readData === 'all' || (readData !== 'none' && readData.percent === 100);
    let damage = new FoundDamage();
    let report = await look(damage);
    if (isAll && (await isKnownAmiss(path, key, damage))) {
      await makeKnown(context, new FoundDamage(), isAll);
      damage = new FoundDamage();
      report = await look(damage);
      if (damage.isNone)
        activity.warn('What was known to be damaged reads well, and is used again');
    }
    for (const finding of report.findings.slice(0, 100)) {
      if (finding.severity === 'warning') activity.warn(finding.message);
    }
    const errors = report.findings.filter(({ severity }) => severity === 'error');
    if (report.ok) return { ...report };
    if (!damage.isNone) await makeKnown(context, damage, isAll);
    throw cannot(
      'VERIFY_FAILED',
      'check repository',
      path,
      `${errors.length} errors, the first: ${errors[0]?.message ?? 'unknown'}`,
      {
        hint: 'Snapshots that do not need the damaged parts still restore. holdfast check --repair --dry-run tells what can be saved.',
        details: { report: { ...report, findings: report.findings.slice(0, 200) } },
      },
    );
  },
};

/**
 * True where what is known is no longer so: every record reads well, and what cannot be found may be missing only
 * because its record counts as damaged. The medium was at fault once, or somebody put the files back.
 */
async function isKnownAmiss(
  path: string,
  key: KeyMaterial | null,
  found: FoundDamage,
): Promise<boolean> {
  if (found.records.size > 0) return false;
  const known = await isDamageKnown(path, key);
  return known.records || (known.missing && found.isNone);
}

/** So that the next backup stores again what the live data still has. The check itself has its result already. */
async function makeKnown(
  { activity, settings, clock }: OperationContext,
  damage: FoundDamage,
  isAll: boolean,
): Promise<void> {
  const options = { clock, key: await repositoryKey(settings), lockWaitMs: LOCK_WAIT_MS, isAll };
  try {
    const missing = await recordDamage(settings.repositoryDirectory, damage, options, activity);
    activity.log(`${missing} objects are missing or damaged; backups store again what they meet`);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    activity.warn(`What is damaged could not be noted: ${error.message}`);
  }
}
