import { expect, it } from 'vitest';
import { standsBack } from './job-priority.ts';

it('only what an application waits for keeps its priority', () => {
  const awaited = ['restore', 'stage', 'apply', 'recover', 'reconcile', 'bootstrap'] as const;
  for (const kind of awaited) expect(standsBack(kind)).toBe(false);
  for (const kind of ['backup', 'prune', 'verify', 'check', 'drill', 'forget', 'copy'] as const) {
    expect(standsBack(kind)).toBe(true);
  }
});
