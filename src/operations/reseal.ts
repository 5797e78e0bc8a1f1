import { z } from 'zod';
import { isoTime } from '../kernel/clock.ts';
import { cannot } from '../kernel/errors.ts';
import { EMPTY_NOTES, type Notes } from '../store/manifests/manifest.ts';
import type { Operation } from './operation.ts';
import { openRepositoryWriter, withReader } from './repository-access.ts';
import { readableNotes } from './verification-notes.ts';
import { verifyOne } from './verify.ts';

const parameters = z.strictObject({ snapshotId: z.string().min(1) });

function assertNeeded(id: string, notes: Notes | null): void {
  if (notes === null || notes.verifications.at(-1)?.ok === false) return;
  throw cannot('INVALID_PARAMS', 'reseal snapshot', id, 'its notes are sound and speak well of it');
}

/**
 * Clears the name of a snapshot whose notes are damaged or say that it failed. No hash is ever rewritten: its id is
 * the hash of its manifest and that names every byte, so it is resealed only if all of it verifies again, now.
 */
export const reseal: Operation<z.infer<typeof parameters>> = {
  kind: 'reseal',
  params: parameters,
  async run(context, { snapshotId: reference }) {
    const { settings, clock, activity } = context;
    const { id, verified } = await withReader(settings, async (reader) => {
      const found = reader.resolveSnapshot(reference);
      assertNeeded(found, await readableNotes(reader, found));
      return { id: found, verified: await verifyOne(reader, found, context, true) };
    });
    if (!verified.ok) {
      throw cannot(
        'VERIFY_FAILED',
        'reseal snapshot',
        id,
        verified.findings[0] ?? 'it is damaged',
        {
          hint: 'It stays as it is. Run holdfast check --read-data-subset 100% to see how far the damage goes.',
          details: { findings: verified.findings.slice(0, 20) },
        },
      );
    }
    const writer = await openRepositoryWriter(settings, clock, activity, 'reseal');
    try {
      const before = await readableNotes(writer.reader, id);
      const at = isoTime(clock.nowMs());
      const note = { at, level: 'deep', ok: true, findings: [] } as const;
      const notes = before ?? { ...EMPTY_NOTES, pinned: true };
      const verifications = [...notes.verifications, note];
      await writer.writeNotes(id, { ...notes, verifications, resealedAt: at });
      return { snapshotId: id, resealedAt: at, notesWereDamaged: before === null };
    } finally {
      await writer.close();
    }
  },
};
