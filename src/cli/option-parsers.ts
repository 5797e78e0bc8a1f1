import { InvalidArgumentError } from 'commander';

/** Values of options and arguments: read in full or refused with what was expected. */

export const collect = (value: string, previous: readonly string[] | undefined): string[] => [
  ...(previous ?? []),
  value,
];

export function wholeNumber(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < min || number > max) {
      throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
    }
    return number;
  };
}

/** A number of snapshots, or -1 for all. */
export const countOrAll = (value: string): number =>
  value === '-1' ? -1 : wholeNumber(0, 1_000_000)(value);

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** `90s`, `15min`, `12h`, `30d`, `2w` → milliseconds. */
export function durationMs(value: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(s|m|min|h|d|w)$/.exec(value);
  if (match === null) {
    throw new InvalidArgumentError('Expected a duration such as 90s, 15min, 12h, 30d or 2w.');
  }
  return Math.round(Number(match[1]) * UNIT_MS[match[2]!]!);
}

/** A moment, as ISO 8601 writes it; a date alone is its first moment in UTC. */
export function isoTime(value: string): string {
  const time = Date.parse(value);
  if (!/^\d{4}-\d\d-\d\d/.test(value) || Number.isNaN(time)) {
    throw new InvalidArgumentError('Expected a time such as 2026-01-31T12:00:00Z.');
  }
  return new Date(time).toISOString();
}

export type ReadDataSubset = 'none' | 'all' | { readonly percent: number };

/** `5%`, `0.5%`, `100%`; `0%` reads no data. */
export function dataSubset(value: string): ReadDataSubset {
  const match = /^(\d{1,3}(?:\.\d{1,4})?)%$/.exec(value);
  const percent = Number(match?.[1]);
  if (match === null || percent > 100) {
    throw new InvalidArgumentError('Expected a share from 0% to 100%, such as 5%.');
  }
  if (percent === 0) return 'none';
  return percent === 100 ? 'all' : { percent };
}
