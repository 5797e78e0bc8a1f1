import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PATIENCE_MS } from './job-turns.ts';
import { QueueFixture } from './testing/queue-fixture.ts';

const MINUTE_MS = 60_000;

let fixture: QueueFixture;
beforeEach(async () => {
  fixture = await QueueFixture.create();
});
afterEach(() => fixture.remove());

const backup = () => fixture.submit({ kind: 'backup', actor: 'change' });
const runningKind = (): string => [...fixture.held.values()][0]!.job.kind;

/** The running job takes a minute, and the next backup is asked for meanwhile. */
async function minute(): Promise<string> {
  backup();
  fixture.clock.advance(MINUTE_MS);
  await [...fixture.held.values()][0]!.end();
  return runningKind();
}

describe('turns', () => {
  it('F47: backups without a pause keep a prune and a forget waiting for a while, and not for ever', async () => {
    backup();
    backup();
    fixture.submit({ kind: 'prune', actor: 'schedule' });
    fixture.submit({ kind: 'forget', actor: 'schedule' });
    const kinds: string[] = [];
    for (let count = 0; count < 15; count += 1) kinds.push(await minute());
    const patience = PATIENCE_MS / MINUTE_MS;
    expect(kinds.slice(0, patience - 1)).toEqual(Array(patience - 1).fill('backup'));
    expect(kinds).toContain('prune');
    expect(kinds).toContain('forget');
  });

  it('F47: what somebody waits for is not overtaken by what has waited long', async () => {
    backup();
    fixture.submit({ kind: 'prune', actor: 'schedule' });
    fixture.clock.advance(PATIENCE_MS);
    fixture.submit({ kind: 'backup', actor: 'user' });
    fixture.submit({ kind: 'restore', actor: 'user' });
    const kinds: string[] = [];
    while (fixture.held.size > 0) {
      await [...fixture.held.values()][0]!.end();
      if (fixture.held.size > 0) kinds.push(runningKind());
    }
    expect(kinds).toEqual(['restore', 'backup', 'prune']);
  });
});
