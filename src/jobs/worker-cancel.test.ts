import { describe, expect, it } from 'vitest';
import { gone, runUnruly as run } from './testing/run-unruly.ts';
import type { WorkerOptions } from './worker-process.ts';

describe('runWorker() cancels', () => {
  const cancelOnLog = (): Partial<WorkerOptions> & { onLog: () => void } => {
    const abort = new AbortController();
    return { signal: abort.signal, onLog: () => abort.abort() };
  };

  it('Z-D25: a worker that listens: cancelled', async () => {
    const { outcome } = await run({ behaviour: 'obey-cancel' }, cancelOnLog());
    expect(outcome).toMatchObject({ status: 'cancelled', error: { code: 'CANCELLED' } });
  });

  it.each(['ignore-cancel', 'busy-loop', 'leave-grandchild'])(
    'M-38: a worker that does not (%s) is killed after the grace: cancelled',
    async (behaviour) => {
      const { outcome, pid } = await run({ behaviour }, cancelOnLog());
      expect(outcome.status).toBe('cancelled');
      expect(outcome.error?.message).toContain('was killed');
      await gone(pid);
    },
  );

  it('a worker that finishes nevertheless has done its work: succeeded', async () => {
    const { outcome } = await run({ behaviour: 'finish-when-cancelled' }, cancelOnLog());
    expect(outcome).toMatchObject({ status: 'succeeded', result: { anyway: true } });
  });

  it('a worker inside an uncancellable section is not killed there', async () => {
    const params = { behaviour: 'section-when-cancelled', holdMs: 900 };
    const { outcome } = await run(params, cancelOnLog());
    expect(outcome).toMatchObject({ status: 'succeeded', result: { whole: true } });
  });

  it('a job cancelled before it began never does anything', async () => {
    const { outcome } = await run(
      { behaviour: 'ignore-cancel' },
      { signal: AbortSignal.abort(), graceMs: 50 },
    );
    expect(outcome.status).toBe('cancelled');
  });
});
