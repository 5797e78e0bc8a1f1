import rows from './rows.json' with { type: 'json' };

/**
 * What earlier backup systems do for their users, a row each, by a stable id: `F01`… what Holdfast offers, `Z-`, `T-`,
 * `C-`, `F-` and `M-` the behaviours of the five systems, `…-D` their defects that must not come back.
 */
export const ROWS: ReadonlyMap<string, string> = new Map(Object.entries(rows));

const ID = String.raw`(?:[ZTFMC]-D?\d{1,3}|F\d{2})`;
/** At the start of a title: `F38, Z-D11: the newest …`; `Z-89–Z-92` stands for all four. */
const IDS = new RegExp(`^(${ID}(?:(?:, |–)${ID})*): `);

/** The rows that a title says it proves; empty where it names none. */
export function rowsOf(title: string): string[] {
  const named = IDS.exec(title)?.[1];
  if (named === undefined) return [];
  return named.split(', ').flatMap(expand);
}

function expand(named: string): string[] {
  const [first, last] = named.split('–');
  if (last === undefined) return [named];
  const [, prefix, from] = /^(\D+)(\d+)$/.exec(first!)!;
  const to = Number(/\d+$/.exec(last)![0]);
  const width = from!.length;
  return Array.from(
    { length: to - Number(from) + 1 },
    (_, index) => `${prefix}${String(Number(from) + index).padStart(width, '0')}`,
  );
}
