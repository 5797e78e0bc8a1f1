/** Rows that no test names, by the reason why. */
export interface Unproven {
  readonly reason: string;
  readonly rows: readonly string[];
}

export const UNPROVEN: readonly Unproven[] = [];
