import { z } from 'zod';
import { runPlugins } from '../hooks/run-plugins.ts';
import { cannot } from '../kernel/errors.ts';
import { type Operation, sourceOrOnly } from './operation.ts';
import { hookContext, hookFacts } from './with-hooks.ts';

const parameters = z.strictObject({ sourceId: z.string().optional(), name: z.string().min(1) });

/** Runs one plugin as a backup would, and counts what it would collect. Nothing is stored. */
export const plugin: Operation<z.infer<typeof parameters>> = {
  kind: 'plugin',
  params: parameters,
  async run(context, { sourceId, name }) {
    const source = sourceOrOnly(context.settings, sourceId);
    const chosen = source.plugins.find((each) => each.name === name);
    if (chosen === undefined) {
      throw cannot('NOT_FOUND', 'run plugin', name, `source ${source.name} has no such plugin`, {
        hint: `It has: ${source.plugins.map((each) => each.name).join(', ') || 'none'}.`,
      });
    }
    const facts = hookFacts(context, source, { kind: 'backup', snapshotId: null });
    const [result] = await runPlugins([chosen], facts, hookContext(context));
    if (result!.ok) return { ...result! };
    throw cannot('HOOK_FAILED', 'run plugin', name, result!.reason ?? 'it failed', {
      hint: 'Look at its output, in the details and in the log of the job.',
      details: { ...result! },
    });
  },
};
