/** Which snapshots stay. */

/**
 * What keeps a snapshot: any of these. Counts are of the newest snapshots, hours, days and so on; -1: all of
 * them, null and 0: the rule does not hold.
 */
export interface KeepRules {
  readonly keepLast: number | null;
  readonly keepHourly: number | null;
  readonly keepDaily: number | null;
  readonly keepWeekly: number | null;
  readonly keepMonthly: number | null;
  readonly keepYearly: number | null;
  /** Everything within this time before the newest. */
  readonly keepWithinMs: number | null;
  /** What no rule above keeps stays until it is older than this. */
  readonly maxAgeMs: number | null;
}

export type RetentionOrigin = 'manual' | 'schedule' | 'change' | 'recovery';

/** Never empty: that would keep nothing. */
export interface RetentionSettings extends KeepRules {
  /** Which snapshot of an hour, day and so on is kept. */
  readonly pick: 'newest' | 'oldest';
  readonly timeZone: string;
  readonly minKeep: number;
  readonly minGood: number;
  /** In place of the rules above; null: all of this origin stay. */
  readonly origins: Readonly<Partial<Record<RetentionOrigin, KeepRules | null>>>;
  /** For what restores and migrations were about to replace; null: all stay. */
  readonly preRestore: Pick<KeepRules, 'keepLast' | 'maxAgeMs'> | null;
}
