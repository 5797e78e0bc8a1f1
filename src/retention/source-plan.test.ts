import { describe, expect, it } from 'vitest';
import type { VerificationNote } from '../store/manifests/manifest.ts';
import type { SnapshotSummary } from '../store/store.ts';
import { candidatesOf } from './source-plan.ts';

type Look = [level: VerificationNote['level'], ok: boolean];

/** What a snapshot counts as after these looks at it, oldest first; and whether its notes had to be read. */
async function countedAs(looks: readonly Look[], changes: Partial<SnapshotSummary> = {}) {
  const [level = null, ok = null] = looks.at(-1) ?? [];
  const summary = {
    id: 'id',
    capturedAt: '2026-01-01T00:00:00.000Z',
    good: true,
    verifiedLevel: level,
    verifiedOk: ok,
    resealed: false,
    ...changes,
  } as SnapshotSummary;
  let read = 0;
  const readNotes = async () => {
    read += 1;
    const verifications = looks.map(([each, held], index) => {
      return { at: `${index}`, level: each, ok: held, findings: [] };
    });
    return { tags: [], pinned: false, verifications };
  };
  const [candidate] = await candidatesOf([summary], { readNotes });
  return { good: candidate!.good, proven: candidate!.proven, read };
}

describe('what a snapshot counts as', () => {
  it('F38, Z-D11: it is proven by a drill or a deep verification that no later look refutes', async () => {
    const proven = { good: true, proven: true };
    expect(await countedAs([['drill', true]])).toEqual({ ...proven, read: 0 });
    expect(
      await countedAs([
        ['deep', true],
        ['shallow', true],
      ]),
    ).toEqual({ ...proven, read: 1 });
    const unproven = { good: true, proven: false };
    expect(await countedAs([])).toEqual({ ...unproven, read: 0 });
    expect(await countedAs([['shallow', true]])).toEqual({ ...unproven, read: 1 });
    const refuted = { good: false, proven: false, read: 0 };
    expect(
      await countedAs([
        ['drill', true],
        ['shallow', false],
      ]),
    ).toEqual(refuted);
    expect(await countedAs([['deep', false]])).toEqual(refuted);
    const stillRefuted: Look[] = [
      ['deep', true],
      ['deep', false],
      ['shallow', true],
    ];
    expect(await countedAs(stillRefuted)).toMatchObject({ good: false, proven: false });
  });

  it('F38: it is no good one where a database was captured corrupt, or where it was resealed', async () => {
    expect(await countedAs([], { good: false })).toMatchObject({ good: false });
    expect(await countedAs([['deep', true]], { resealed: true })).toMatchObject({ good: false });
  });
});
