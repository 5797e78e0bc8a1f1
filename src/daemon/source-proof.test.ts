import { describe, expect, it } from 'vitest';
import type { VerificationNote } from '../store/manifests/manifest.ts';
import type { SnapshotSummary } from '../store/store.ts';
import { readProof } from './source-proof.ts';

type Note = [level: VerificationNote['level'], ok: boolean];

/** Snapshots, newest first, each with what its notes say; `good` unless its name begins with `bad`. */
function proofOf(snapshots: Readonly<Record<string, readonly Note[]>>) {
  const summaries = Object.entries(snapshots).map(
    ([id, notes]) =>
      ({
        id,
        capturedAt: `captured ${id}`,
        good: !id.startsWith('bad'),
        verifiedAt: notes.length === 0 ? null : 'some time',
      }) as SnapshotSummary,
  );
  const read: string[] = [];
  const reader = {
    async readNotes(id: string) {
      read.push(id);
      const verifications = snapshots[id]!.map(([level, ok], index) => {
        return { at: `${id} ${index}`, level, ok, findings: [] };
      });
      return { tags: [], pinned: false, verifications };
    },
  };
  return readProof(summaries, reader).then((proof) => ({ proof, read }));
}

describe('what proves that a source comes back', () => {
  it('nothing, while nothing but the structure was looked at', async () => {
    const { proof } = await proofOf({ c: [], b: [['shallow', true]], a: [] });
    expect(proof).toEqual({ lastDrillAt: null, lastDrillOk: null, lastKnownGood: null });
  });

  it('the newest that passed deeply; the newest drill even if it failed', async () => {
    const { proof, read } = await proofOf({
      e: [],
      d: [['drill', false]],
      c: [['deep', true]],
      b: [['drill', true]],
    });
    expect(proof).toEqual({
      lastDrillAt: 'd 0',
      lastDrillOk: false,
      lastKnownGood: { id: 'c', at: 'captured c' },
    });
    expect(read).toEqual(['d', 'c']);
  });

  it('is void once a later look at the same snapshot failed, and for a snapshot with a corrupt database', async () => {
    const { proof } = await proofOf({
      'bad-c': [['deep', true]],
      b: [
        ['drill', true],
        ['deep', false],
      ],
      a: [
        ['deep', false],
        ['drill', true],
        ['shallow', false],
      ],
    });
    expect(proof).toEqual({
      lastDrillAt: 'b 0',
      lastDrillOk: true,
      lastKnownGood: { id: 'a', at: 'captured a' },
    });
  });
});
