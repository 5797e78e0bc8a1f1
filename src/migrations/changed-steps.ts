import { cannot } from '../kernel/errors.ts';
import { compareVersions } from './semantic-version.ts';
import type { Step, StepSet } from './step.ts';

/**
 * Applied steps whose file is not the one that was run. Of steps that the application ran itself nothing is known.
 * @param checksums of the steps that Holdfast ran, by version
 * @param current the version of the database
 */
export function changedSteps(
  { steps }: StepSet,
  checksums: ReadonlyMap<string, string>,
  current: string,
): Step[] {
  return steps.filter(({ version, up }) => {
    const checksum = checksums.get(version);
    const isApplied = compareVersions(version, current) <= 0;
    return isApplied && checksum !== undefined && checksum !== up.checksum;
  });
}

/** @throws VERIFY_FAILED */
export function requireUnchanged(changed: readonly Step[], database: string): void {
  if (changed.length === 0) return;
  const names = changed.slice(0, 20).map(({ version, name }) => `${version}_${name}`);
  const state = `${names.join(', ')} changed after it had run`;
  throw cannot('VERIFY_FAILED', 'migrate', database, state, {
    hint: 'Put the file back as it was and write a new step; or use force where the change makes no difference.',
    details: { changedSteps: names },
  });
}
