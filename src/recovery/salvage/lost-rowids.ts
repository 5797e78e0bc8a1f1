import type { RowidRange } from './snapshot-rows.ts';

/** Row ids whose rows the damaged file does not show, and why. */
export interface LostRange extends RowidRange {
  readonly reason: string;
  /**
   * `cell`: one row that is known to have been there. `leaf`: what one leaf held. `page`: what was on or below a page,
   * of which nothing is known.
   */
  readonly extent: 'cell' | 'leaf' | 'page';
}

export class LostRowids {
  #ranges: LostRange[] = [];

  get ranges(): readonly LostRange[] {
    return this.#ranges;
  }

  add(range: LostRange): void {
    const { after, upTo } = range;
    if (after === null || upTo === null || after < upTo) this.#ranges.push(range);
  }

  /** True when one range holds all rows from `first` to `last`. */
  covers(first: bigint, last: bigint): boolean {
    return this.#ranges.some((range) => contains(range, first, last));
  }

  /** Takes out what one page was found to hold. It is all that a leaf held; below a page there may be more. */
  remove(first: bigint, last: bigint): void {
    this.#ranges = this.#ranges.flatMap((range) => {
      const found = range.extent === 'leaf' && contains(range, first, last);
      return found ? [] : without(range, first, last);
    });
  }

  /** Takes out every range within `(after, upTo]`. */
  removeWithin({ after, upTo }: RowidRange): void {
    this.#ranges = this.#ranges.filter(
      (range) =>
        (after !== null && (range.after === null || range.after < after)) ||
        (upTo !== null && (range.upTo === null || range.upTo > upTo)),
    );
  }
}

const contains = ({ after, upTo }: RowidRange, first: bigint, last: bigint): boolean =>
  (after === null || first > after) && (upTo === null || last <= upTo);

function without(range: LostRange, first: bigint, last: bigint): LostRange[] {
  const { after, upTo } = range;
  const apart = (upTo !== null && upTo < first) || (after !== null && after >= last);
  if (apart) return [range];
  const pieces: LostRange[] = [];
  if (after === null || after < first - 1n) pieces.push({ ...range, upTo: first - 1n });
  if (upTo === null || upTo > last) pieces.push({ ...range, after: last });
  return pieces;
}
