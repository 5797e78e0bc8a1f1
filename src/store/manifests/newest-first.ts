import type { FixedSummary } from './summary.ts';

/** Where a snapshot stands: by its moment, or behind the one it was measured against. */
interface Place {
  /** Epoch ms. */
  readonly momentMs: number;
  /** Steps behind a snapshot of that very moment. */
  readonly steps: number;
}

/**
 * Newest first: by the moment, then by id. A snapshot is never sorted below the one it was measured against, which was
 * there before it: so what was taken after a clock was set back is newer than what was taken before.
 */
export function newestFirst<Summary extends FixedSummary>(
  summaries: readonly Summary[],
): Summary[] {
  const places = placesOf(summaries);
  return [...summaries].sort((left, right) => {
    const [a, b] = [places.get(left.id)!, places.get(right.id)!];
    return b.momentMs - a.momentMs || b.steps - a.steps || (left.id < right.id ? -1 : 1);
  });
}

function placesOf(summaries: readonly FixedSummary[]): Map<string, Place> {
  const byId = new Map(summaries.map((summary) => [summary.id, summary]));
  const places = new Map<string, Place>();
  for (const summary of summaries) {
    // Up to the first whose place is known, then down again: chains may be long.
    const chain: FixedSummary[] = [];
    const seen = new Set<string>();
    for (
      let at: FixedSummary | undefined = summary;
      at !== undefined && !places.has(at.id) && !seen.has(at.id);
      at = parentOf(at, byId)
    ) {
      chain.push(at);
      seen.add(at.id);
    }
    for (const each of chain.reverse()) {
      const parent = parentOf(each, byId);
      places.set(each.id, placeOf(each, parent === undefined ? undefined : places.get(parent.id)));
    }
  }
  return places;
}

function parentOf(
  { parent, sourceId }: FixedSummary,
  byId: ReadonlyMap<string, FixedSummary>,
): FixedSummary | undefined {
  const found = parent === null ? undefined : byId.get(parent);
  return found?.sourceId === sourceId ? found : undefined;
}

function placeOf({ capturedAt }: FixedSummary, parent: Place | undefined): Place {
  const momentMs = Date.parse(capturedAt);
  if (parent === undefined || parent.momentMs < momentMs) return { momentMs, steps: 0 };
  return { momentMs: parent.momentMs, steps: parent.steps + 1 };
}
