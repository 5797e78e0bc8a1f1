import { z } from 'zod';
import { idempotencyKey, submitted } from './job.ts';
import { count, hostPath, sourceReference } from './scalars.ts';
import { expectVersion, settingsPatch } from './settings.ts';

/** How sources are added, changed and taken away while the daemon runs. */

export const sourceWarning = z.object({
  code: z.string(),
  message: z.string(),
  sourceId: z.string().nullable(),
});

const changedSource = z.object({
  version: count,
  sourceId: z.string(),
  /** What is allowed but hardly meant: as `source.lint` says it. */
  warnings: z.array(sourceWarning),
});

export const sourceChangeMethods = {
  'source.add': {
    summary: 'Protects one more application: `source` is written as in the configuration file.',
    params: z.strictObject({ source: settingsPatch, expectVersion }),
    result: changedSource,
  },
  'source.update': {
    summary:
      'Changes a source: absent leaves, null takes a change back, lists and policies are replaced. Its snapshots stay its own.',
    params: z.strictObject({ sourceId: sourceReference, patch: settingsPatch, expectVersion }),
    result: changedSource,
  },
  'source.rename': {
    summary: 'Calls a source something else; its id, snapshots and retention stay.',
    params: z.strictObject({
      sourceId: sourceReference,
      name: z.string().min(1).max(64),
      expectVersion,
    }),
    result: changedSource,
  },
  'source.remove': {
    summary: 'Protects an application no longer; its snapshots stay.',
    params: z.strictObject({ sourceId: sourceReference, expectVersion }),
    result: z.object({ version: count, sourceId: z.string() }),
  },
  'source.reset': {
    summary:
      'Takes back every change of a source, its removal too: it is as the configuration says.',
    params: z.strictObject({ sourceId: sourceReference, expectVersion }),
    result: z.object({ version: count, sourceId: z.string() }),
  },
  'source.coverage': {
    summary:
      'Enqueues a look at every file under the roots: what is in the snapshots, what is not, and why. Changes nothing.',
    params: z.strictObject({ sourceId: sourceReference, idempotencyKey }),
    result: submitted,
  },
  'source.discover': {
    summary: 'Enqueues a search for databases below a directory, by their header.',
    params: z.strictObject({
      directory: hostPath,
      depth: z.int().min(0).max(32).default(8),
      idempotencyKey,
    }),
    result: submitted,
  },
  'source.lint': {
    summary: 'What is allowed but hardly meant: overlapping roots, nothing that triggers a backup…',
    params: z.strictObject({ sourceId: sourceReference.optional() }),
    result: z.object({ items: z.array(sourceWarning) }),
  },
};
