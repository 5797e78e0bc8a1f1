import { HoldfastError } from '../../kernel/errors.ts';

/** The objects that a check found damaged or missing, for whoever makes it known. */
export class FoundDamage {
  /** By pack, ids of records that do not hold what they say. */
  readonly records = new Map<string, Set<string>>();
  /** Needed by snapshots and held by no pack. */
  readonly missing = new Set<string>();

  get isNone(): boolean {
    return this.records.size === 0 && this.missing.size === 0;
  }

  record(pack: string, id: string): void {
    this.records.set(pack, (this.records.get(pack) ?? new Set()).add(id));
  }

  /** What a failed reading says about an object. */
  failure(error: unknown): void {
    if (!(error instanceof HoldfastError)) return;
    const { object, pack } = error.details ?? {};
    if (typeof object !== 'string') return;
    if (error.code === 'VERIFY_FAILED' && typeof pack === 'string') this.record(pack, object);
    else this.missing.add(object);
  }
}
