import { z } from 'zod';
import { cannot } from '../kernel/errors.ts';
import type { Notes } from '../store/manifests/manifest.ts';
import type { Operation } from './operation.ts';
import { openRepositoryWriter } from './repository-access.ts';
import { readableNotes } from './verification-notes.ts';

const TAGS_MAX = 32;
const tag = z.string().min(1).max(64);

const parameters = z.strictObject({
  /** Ids, unique prefixes or `latest`. */
  snapshotIds: z.array(z.string().min(1)).min(1).max(1000),
  addTags: z.array(tag).default([]),
  removeTags: z.array(tag).default([]),
  /** Absent: as it is. */
  pinned: z.boolean().optional(),
});

type AnnotateParameters = z.infer<typeof parameters>;

/** What cannot be read counts as pinned, and stays so until a person says otherwise. */
const LOST_NOTES: Notes = { tags: [], pinned: true, verifications: [] };

function changed(id: string, notes: Notes, changes: AnnotateParameters): Notes {
  const { addTags, removeTags, pinned = notes.pinned } = changes;
  const kept = notes.tags.filter((each) => !removeTags.includes(each));
  const tags = [...new Set([...kept, ...addTags])];
  if (tags.length > TAGS_MAX) {
    throw cannot('INVALID_PARAMS', 'tag snapshot', id, `it would have ${tags.length} tags`, {
      hint: `At most ${TAGS_MAX} are kept; remove some.`,
    });
  }
  return { ...notes, tags, pinned };
}

/** Sets tags and pins. Every snapshot is looked up before the first is changed. */
export const annotate: Operation<AnnotateParameters> = {
  kind: 'annotate',
  params: parameters,
  async run({ settings, clock, activity }, params) {
    const writer = await openRepositoryWriter(settings, clock, activity, 'tags and pins');
    try {
      const { reader } = writer;
      const ids = params.snapshotIds.map((reference) => reader.resolveSnapshot(reference));
      const snapshots: { id: string; tags: readonly string[]; pinned: boolean }[] = [];
      for (const id of new Set(ids)) {
        activity.signal.throwIfAborted();
        const notes = changed(id, (await readableNotes(reader, id)) ?? LOST_NOTES, params);
        await writer.writeNotes(id, notes);
        snapshots.push({ id, tags: notes.tags, pinned: notes.pinned });
      }
      return { snapshots };
    } finally {
      await writer.close();
    }
  },
};
