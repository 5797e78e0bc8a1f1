import { listKeySlots, removeStaleLeases, repositoryLocks } from '../store/repository.ts';
import type { HandlersOf } from './handler.ts';
import { repositoryStatistics } from './repository-statistics.ts';
import { submitJob } from './submit-job.ts';

export const repositoryHandlers: HandlersOf<'repository'> = {
  'repository.statistics': (_, context) => repositoryStatistics(context),
  'repository.init': ({ encrypt, idempotencyKey }, context) =>
    submitJob(context, {
      kind: 'init',
      sourceId: null,
      params: { encrypt },
      mutating: true,
      idempotencyKey,
    }),
  'repository.check': ({ readData, repair, dryRun, bandwidth, idempotencyKey }, context) =>
    submitJob(context, {
      kind: 'check',
      sourceId: null,
      params: { readData, ...(repair ? { repair, dryRun } : {}), bandwidth },
      mutating: repair && !dryRun,
      idempotencyKey,
    }),
  'repository.prune': ({ dryRun, bandwidth, idempotencyKey }, context) =>
    submitJob(context, {
      kind: 'prune',
      sourceId: null,
      params: { dryRun, bandwidth },
      mutating: true,
      idempotencyKey,
    }),
  'repository.locks': (_, { settings, clock }) =>
    repositoryLocks(settings.repositoryDirectory, clock),
  'repository.unlock': async (_, { settings, clock }) => {
    const path = settings.repositoryDirectory;
    const removedLeases = await removeStaleLeases(path, clock);
    const { locked } = await repositoryLocks(path, clock);
    return { removedLeases, lockPresent: locked };
  },
  'repository.reconcile': ({ dryRun, idempotencyKey }, context) =>
    submitJob(context, {
      kind: 'reconcile',
      sourceId: null,
      params: { repositoryOnly: true, dryRun },
      mutating: true,
      idempotencyKey,
    }),
  'repository.keys': async (_, { settings }) => {
    const { slots, ...rest } = await listKeySlots(settings.repositoryDirectory);
    return { items: slots, nextCursor: null, ...rest, unreadable: [...rest.unreadable] };
  },
  'repository.addKey': ({ kind, path, idempotencyKey }, context) =>
    submitJob(context, {
      kind: 'key',
      sourceId: null,
      params: { action: 'add', kind, path },
      mutating: true,
      idempotencyKey,
    }),
  'repository.removeKey': ({ keyId, idempotencyKey }, context) =>
    submitJob(context, {
      kind: 'key',
      sourceId: null,
      params: { action: 'remove', keyId },
      mutating: true,
      idempotencyKey,
    }),
  'repository.rotateKey': ({ idempotencyKey, ...params }, context) =>
    submitJob(context, {
      kind: 'key',
      sourceId: null,
      params: { action: 'rotate', ...params },
      mutating: true,
      idempotencyKey,
    }),
  'repository.accept': ({ idempotencyKey }, context) =>
    submitJob(context, {
      kind: 'accept',
      sourceId: null,
      params: {},
      mutating: true,
      idempotencyKey,
    }),
  'repository.convert': ({ idempotencyKey, ...params }, context) =>
    submitJob(context, {
      kind: 'convert',
      sourceId: null,
      params,
      mutating: true,
      idempotencyKey,
    }),
  'repository.copy': ({ idempotencyKey, ...params }, context) =>
    submitJob(context, {
      kind: 'copy',
      sourceId: null,
      params,
      mutating: true,
      idempotencyKey,
    }),
  'repository.rebuild': ({ idempotencyKey }, context) =>
    submitJob(context, {
      kind: 'rebuild',
      sourceId: null,
      params: {},
      mutating: true,
      idempotencyKey,
    }),
};
