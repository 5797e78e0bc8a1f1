import type { SourceSettings } from '../../config/settings.ts';
import { isInside } from '../../files/safe-path.ts';
import { failureOf } from '../../hooks/run-hook.ts';
import { runPluginCommand } from '../../hooks/run-plugins.ts';
import type { OperationContext } from '../operation.ts';
import { hookContext, hookFacts } from '../with-hooks.ts';

/**
 * Tells the plugins whose files were put back, one after the other. What fails is a warning: the files are there, and
 * the application may well do without.
 * @param touched absolute paths that the restore wrote
 */
export async function tellPlugins(
  context: OperationContext,
  source: SourceSettings,
  snapshotId: string,
  touched: readonly string[],
): Promise<void> {
  const facts = hookFacts(context, source, { kind: 'restore', snapshotId });
  for (const plugin of source.plugins) {
    const isTouched = touched.some(
      (path) => isInside(path, plugin.directory) || isInside(plugin.directory, path),
    );
    if (!isTouched) continue;
    const result = await runPluginCommand(
      plugin,
      'restore',
      plugin.restoreCommand,
      facts,
      hookContext(context),
    );
    if (result?.ok === false) {
      context.activity.warn(`Plugin ${plugin.name} failed after the restore: ${failureOf(result)}`);
    }
  }
}
