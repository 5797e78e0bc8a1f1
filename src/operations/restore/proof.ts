import { hostPathOf } from '../../config/root-paths.ts';
import type { SourceSettings } from '../../config/settings.ts';
import { cannot } from '../../kernel/errors.ts';
import { type AssertionOutcome, evaluateAssertion } from '../assertions.ts';
import type { OperationContext } from '../operation.ts';
import type { StoppedService } from './service.ts';

/**
 * What must hold when everything is in place: the source's own command, its assertions on the databases that were
 * replaced, and that the application starts. Whatever rejects here has the old state put back.
 * @throws VERIFY_FAILED, IO_ERROR, TIMEOUT
 */
export async function proveRestored(
  { activity }: OperationContext,
  source: SourceSettings,
  stopped: StoppedService,
  /** Logical paths of databases now in place. */
  databases: readonly string[],
): Promise<AssertionOutcome[]> {
  await stopped.afterRestore();
  activity.progress({ phase: 'evaluate assertions' });
  const outcomes: AssertionOutcome[] = [];
  for (const assertion of source.assertions) {
    const path = hostPathOf(source, assertion.database);
    if (path === null || !databases.includes(assertion.database)) continue;
    outcomes.push(evaluateAssertion(assertion, path, true));
  }
  const failed = outcomes.filter(({ ok }) => !ok);
  if (failed.length > 0) {
    const [{ name, message }] = failed as [AssertionOutcome];
    const state = `assertion "${name}" does not hold on what was restored: ${message}`;
    throw cannot('VERIFY_FAILED', 'accept the restore of', source.name, state, {
      details: { assertions: outcomes },
    });
  }
  await stopped.start();
  return outcomes;
}
