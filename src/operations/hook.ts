import { z } from 'zod';
import { failureOf, hookOf, runHook } from '../hooks/run-hook.ts';
import { cannot } from '../kernel/errors.ts';
import { type Operation, sourceOrOnly } from './operation.ts';
import { directoryOf, hookContext, hookFacts } from './with-hooks.ts';

const parameters = z.strictObject({
  sourceId: z.string().optional(),
  phase: z.enum(['pre', 'post', 'preRestore', 'postRestore']),
});

/** Runs one hook as a job would, to try it out. One for after the work is told that it succeeded. */
export const hook: Operation<z.infer<typeof parameters>> = {
  kind: 'hook',
  params: parameters,
  async run(context, { sourceId, phase }) {
    const { settings, activity } = context;
    const source = sourceOrOnly(settings, sourceId);
    const settingsOfHook = hookOf(settings, source, phase);
    if (settingsOfHook === null) {
      throw cannot('NOT_FOUND', 'test hook', phase, `source ${source.name} has none`, {
        hint: `Set one: holdfast hook set ${phase} COMMAND --source ${source.name}.`,
      });
    }
    const kind = phase === 'pre' || phase === 'post' ? 'backup' : 'restore';
    const isAfter = phase === 'post' || phase === 'postRestore';
    const facts = hookFacts(context, source, { kind, snapshotId: null });
    const result = await runHook(
      settingsOfHook,
      { ...facts, phase, status: isAfter ? 'succeeded' : null },
      directoryOf(source),
      hookContext(context),
      activity.signal,
    );
    if (result.ok) return { ...result };
    activity.signal.throwIfAborted();
    throw cannot('HOOK_FAILED', `run ${phase} hook of`, source.name, failureOf(result), {
      hint: 'Look at its output, in the details and in the log of the job.',
      details: { ...result },
    });
  },
};
