import { shortId } from '../../kernel/ids.ts';
import { openText, sealText } from '../encryption/sealed-document.ts';
import type { Layout } from '../layout.ts';
import type { SnapshotSummary } from '../store.ts';
import { isGood, type Manifest, type Notes } from './manifest.ts';

/** What never changes about a snapshot's summary: kept as JSON in the catalog. */
export type FixedSummary = Omit<
  SnapshotSummary,
  'tags' | 'pinned' | 'verifiedAt' | 'verifiedLevel' | 'verifiedOk' | 'resealed'
>;

export function summarise(id: string, manifest: Manifest): FixedSummary {
  return {
    id,
    shortId: shortId(id),
    sourceId: manifest.source.id,
    sourceName: manifest.source.name,
    type: manifest.type,
    origin: manifest.origin,
    reason: manifest.reason,
    parent: manifest.parent,
    capturedAt: manifest.capturedAt,
    totalBytes: manifest.statistics.totalBytes,
    addedBytes: manifest.statistics.addedBytes,
    files: manifest.statistics.files,
    databases: manifest.statistics.databases,
    good: isGood(manifest),
  };
}

/** As it stands in the catalog: JSON, sealed where the repository is encrypted, since it names what it is of. */
export function encodeSummary({ keys }: Pick<Layout, 'keys'>, summary: FixedSummary): string {
  const json = JSON.stringify(summary);
  return keys === null ? json : sealText(keys, 'summary', summary.id, Buffer.from(json));
}

/** Null where it is not what was put there: the manifest says the same. */
export function decodeSummary(
  { keys }: Pick<Layout, 'keys'>,
  id: string,
  text: string,
): FixedSummary | null {
  if (keys === null) return JSON.parse(text) as FixedSummary;
  try {
    return JSON.parse(openText(keys, 'summary', id, text).toString('utf8')) as FixedSummary;
  } catch {
    return null;
  }
}

/** `notes` is null where they are damaged: the snapshot then counts as pinned, so that no policy removes it. */
export function withNotes(fixed: FixedSummary, notes: Notes | null): SnapshotSummary {
  const newest = notes?.verifications.at(-1);
  return {
    ...fixed,
    tags: notes?.tags ?? [],
    pinned: notes?.pinned ?? true,
    verifiedAt: newest?.at ?? null,
    verifiedLevel: newest?.level ?? null,
    verifiedOk: newest?.ok ?? null,
    resealed: notes?.resealedAt !== undefined,
  };
}
