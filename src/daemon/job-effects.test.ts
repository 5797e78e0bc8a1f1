import { expect, it } from 'vitest';
import { testSource } from '../config/testing/settings.ts';
import type { Job } from '../jobs/job.ts';
import { silentLogger } from '../kernel/logger.ts';
import { JobEffects, type JobEffectsOptions } from './job-effects.ts';

const backup = (id: string): Job =>
  ({
    id,
    kind: 'backup',
    status: 'succeeded',
    sourceId: 'app',
    params: {},
    error: null,
    result: {
      shortId: id,
      good: true,
      snapshotId: id,
      sourceFingerprint: id,
      capturedAt: '2026-01-01T00:00:00.000Z',
    },
  }) as unknown as Job;

it('Z-D3: an effect that state.db refuses ends neither the daemon nor the effects of later jobs', async () => {
  const noted: string[] = [];
  const kept: string[] = [];
  let isFull = true;
  const options = {
    live: { current: { sources: [testSource()] } },
    logger: silentLogger,
    baselines: {
      put: ({ snapshotId }: { snapshotId: string }) => {
        if (isFull) throw Object.assign(new Error('full'), { code: 'SQLITE_FULL' });
        kept.push(snapshotId);
      },
    },
    repository: { refresh: async () => {}, sight: null },
    memory: { look: () => {} },
    sources: { noteBackup: () => {} },
    triggers: () => ({
      noteSnapshot: (_source: string, fingerprint: string) => noted.push(fingerprint),
      noteFailure: () => {},
    }),
    onEnded: () => {},
    onGoodBackup: async () => {},
    onSnapshotsChanged: () => {},
    onSourceChanged: () => {},
  } as unknown as JobEffectsOptions;
  const effects = new JobEffects(options);
  effects.receive({ sequence: 1, type: 'job.changed', job: backup('one') });
  await effects.settled();
  isFull = false;
  effects.receive({ sequence: 2, type: 'job.changed', job: backup('two') });
  await effects.settled();
  // What is known in memory is known in any case: the change is in a snapshot, and need not be asked for again.
  expect(noted).toEqual(['one', 'two']);
  expect(kept).toEqual(['two']);
});
