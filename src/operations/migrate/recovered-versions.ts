import { hostPathOf } from '../../config/root-paths.ts';
import type { SourceSettings } from '../../config/settings.ts';
import { messageOf } from '../../kernel/errors.ts';
import { compatibilityOf } from '../../migrations/plan-steps.ts';
import { readStepSet } from '../../migrations/step-set.ts';
import type { OperationContext } from '../operation.ts';
import { versionOfLive } from './schema-of-database.ts';

/**
 * A database may have come back from before the application's last upgrade. Recovery puts in place what it has proven,
 * and runs nothing: it says which steps are missing, and leaves them to the application or to a person.
 */
export async function tellOfOlderVersions(
  context: OperationContext,
  source: SourceSettings,
  recovered: readonly { readonly path: string; readonly state: string }[],
): Promise<void> {
  const { activity } = context;
  for (const settings of source.migrations) {
    const path = hostPathOf(source, settings.database);
    const isRecovered = recovered.some((each) => each.path === path && each.state === 'recovered');
    if (path === null || !isRecovered) continue;
    try {
      const set = await readStepSet(settings.directory);
      const found = await versionOfLive(path, settings, set, context);
      const { compatible, requiresMigration, message } = compatibilityOf(
        settings.database,
        found,
        set,
      );
      if (requiresMigration) {
        activity.warn(`${message}. Run them: holdfast migrate up ${source.name}`);
      } else if (!compatible) activity.warn(message);
    } catch (error) {
      activity.signal.throwIfAborted();
      activity.warn(`The version of "${path}" is not known: ${messageOf(error)}`);
    }
  }
}
