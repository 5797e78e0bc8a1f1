import { z } from 'zod';
import { cannot } from '../kernel/errors.ts';
import { checkRepository } from '../store/repository.ts';
import type { Operation } from './operation.ts';
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
});

/** Checks the repository itself: its structure, and as much of its data as asked for. */
export const check: Operation<z.infer<typeof parameters>> = {
  kind: 'check',
  params: parameters,
  async run({ activity, settings }, params) {
    const path = settings.repositoryDirectory;
    const key = await repositoryKey(settings);
    // Before anything of it is read: a writer meanwhile only moves on.
    const seen = key === null ? null : await seenHead(settings);
    const report = await checkRepository(path, { ...params, key, seen }, activity);
    for (const finding of report.findings.slice(0, 100)) {
      if (finding.severity === 'warning') activity.warn(finding.message);
    }
    const errors = report.findings.filter(({ severity }) => severity === 'error');
    if (report.ok) return { ...report };
    throw cannot(
      'VERIFY_FAILED',
      'check repository',
      path,
      `${errors.length} errors, the first: ${errors[0]?.message ?? 'unknown'}`,
      {
        hint: 'Snapshots that do not need the damaged parts still restore: holdfast verify --all tells which.',
        details: { report: { ...report, findings: report.findings.slice(0, 200) } },
      },
    );
  },
};
