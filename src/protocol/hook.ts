import { z } from 'zod';
import { idempotencyKey, submitted } from './job.ts';
import { count, sourceReference } from './scalars.ts';
import { expectVersion } from './settings.ts';

/** Commands before and after backups and restores in place. */

export const hookPhase = z.enum(['pre', 'post', 'preRestore', 'postRestore']);
const command = z.union([z.string(), z.array(z.string())]);

const hookItem = z.object({
  phase: hookPhase,
  command,
  timeoutMs: count,
  continueOnError: z.boolean(),
  legacyNames: z.boolean(),
  /** Whether the source says so itself, or the top level does. */
  from: z.enum(['source', 'default']),
});

export const hookMethods = {
  'hook.get': {
    summary: 'The hooks that hold for a source.',
    params: z.strictObject({ sourceId: sourceReference }),
    result: z.object({ items: z.array(hookItem) }),
  },
  'hook.set': {
    summary:
      'Sets one hook, of a source or of the top level: a command, an object as in the configuration, false for none, null for what the configuration says.',
    params: z.strictObject({
      sourceId: sourceReference.optional(),
      phase: hookPhase,
      hook: z.union([command, z.record(z.string(), z.unknown()), z.literal(false), z.null()]),
      expectVersion,
    }),
    result: z.object({ version: count }),
  },
  'hook.test': {
    summary: 'Enqueues running one hook alone.',
    params: z.strictObject({
      sourceId: sourceReference.optional(),
      phase: hookPhase,
      idempotencyKey,
    }),
    result: submitted,
  },
};
