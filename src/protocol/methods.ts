import { z } from 'zod';
import { alertMethods } from './alert.ts';
import { artifactMethods } from './artifact.ts';
import { auditMethods } from './audit.ts';
import { daemonMethods } from './daemon.ts';
import { databaseMethods } from './database.ts';
import { drillMethods } from './drill.ts';
import { eventMethods } from './event.ts';
import { exportMethods } from './export.ts';
import { healthMethods } from './health.ts';
import { hookMethods } from './hook.ts';
import { importMethods } from './import.ts';
import { jobMethods } from './job.ts';
import { migrationMethods } from './migration.ts';
import { pluginMethods } from './plugin.ts';
import { progressMethods } from './progress.ts';
import { recoveryMethods } from './recovery.ts';
import { repositoryMethods } from './repository.ts';
import { restoreMethods } from './restore.ts';
import { retentionMethods } from './retention.ts';
import { nothing } from './scalars.ts';
import { pendingMethods, scheduleMethods } from './schedule.ts';
import { secretMethods } from './secret.ts';
import { settingsMethods } from './settings.ts';
import { snapshotMethods } from './snapshot.ts';
import { sourceMethods } from './source.ts';
import { sourceChangeMethods } from './source-changes.ts';
import { treeMethods } from './tree.ts';

/** Every method of the socket: one entry here, one handler in `api/`. */
export const methods = {
  ...daemonMethods,
  ...healthMethods,
  ...sourceMethods,
  ...sourceChangeMethods,
  ...scheduleMethods,
  ...pendingMethods,
  ...snapshotMethods,
  ...exportMethods,
  ...importMethods,
  ...treeMethods,
  ...restoreMethods,
  ...recoveryMethods,
  ...drillMethods,
  ...artifactMethods,
  ...retentionMethods,
  ...jobMethods,
  ...progressMethods,
  ...databaseMethods,
  ...migrationMethods,
  ...hookMethods,
  ...pluginMethods,
  ...repositoryMethods,
  ...settingsMethods,
  ...secretMethods,
  ...eventMethods,
  ...alertMethods,
  ...auditMethods,
  'rpc.discover': {
    summary: 'This contract as an OpenRPC document.',
    params: nothing,
    result: z.looseObject({ openrpc: z.string() }),
  },
} as const;

/** Answered before `daemon.hello`: what a probe needs, and what tells a stranger how to begin. */
const OPEN_METHODS: ReadonlySet<string> = new Set([
  'daemon.hello',
  'daemon.ping',
  'health.live',
  'health.ready',
  'health.report',
  'rpc.discover',
]);

export function isMethodName(name: string): name is keyof typeof methods {
  return Object.hasOwn(methods, name);
}

export function needsHello(name: keyof typeof methods): boolean {
  return !OPEN_METHODS.has(name);
}
