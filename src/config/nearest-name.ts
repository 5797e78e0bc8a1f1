/** The number of edits (insert, remove, replace, swap neighbours) that turn one text into the other. */
export function editDistance(left: string, right: string): number {
  const rows: number[][] = [Array.from({ length: right.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= left.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const replace = rows[i - 1]![j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1);
      let best = Math.min(replace, rows[i - 1]![j]! + 1, row[j - 1]! + 1);
      const isSwap = i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1];
      if (isSwap) best = Math.min(best, rows[i - 2]![j - 2]! + 1);
      row.push(best);
    }
    rows.push(row);
  }
  return rows[left.length]![right.length]!;
}

/** The known name that was probably meant, or null: at most a third of it may differ, or one contains the other. */
export function nearestName(name: string, known: readonly string[]): string | null {
  if (name.length > 64) return null;
  const wanted = name.toLowerCase();
  const ranked = known
    .map((each) => {
      const candidate = each.toLowerCase();
      const within =
        wanted.length >= 3 && (candidate.startsWith(wanted) || wanted.startsWith(candidate));
      return { each, distance: within ? 1 : editDistance(wanted, candidate) };
    })
    .sort((left, right) => left.distance - right.distance);
  const [best] = ranked;
  return best !== undefined && best.distance <= Math.max(1, best.each.length / 3)
    ? best.each
    : null;
}
