import { z } from 'zod';
import type { Operation } from '../operation.ts';
import { migrateLive } from './migrate-live.ts';
import { checkSnapshot, migrationStatus, pendingMigrations } from './status.ts';

const choice = { sourceId: z.string().optional(), database: z.string().optional() };
const changes = {
  ...choice,
  dryRun: z.boolean().default(false),
  checkpoint: z.boolean().default(true),
  force: z.boolean().default(false),
};

const parameters = z.discriminatedUnion('action', [
  z.strictObject({ action: z.literal('status'), ...choice }),
  z.strictObject({ action: z.literal('pending'), ...choice, target: z.string().optional() }),
  z.strictObject({
    action: z.literal('check'),
    snapshotId: z.string().min(1),
    sourceId: z.string().optional(),
    force: z.boolean().default(false),
  }),
  z.strictObject({ action: z.literal('up'), ...changes, target: z.string().optional() }),
  z.strictObject({ action: z.literal('down'), ...changes, target: z.string() }),
]);

/** An application's own migrations. */
export const migrate: Operation<z.infer<typeof parameters>> = {
  kind: 'migrate',
  params: parameters,
  run(context, params) {
    switch (params.action) {
      case 'status':
        return migrationStatus(context, params);
      case 'pending':
        return pendingMigrations(context, params);
      case 'check':
        return checkSnapshot(context, params);
      case 'up':
      case 'down':
        return migrateLive(context, { ...params, direction: params.action });
    }
  },
};
