import { type Clock, isoTime } from '../kernel/clock.ts';
import { cannot } from '../kernel/errors.ts';
import { newId } from '../kernel/ids.ts';
import type { Alert } from '../protocol/method-map.ts';
import type {
  AlertKey,
  AlertRecord,
  AlertRecords,
  AlertSighting,
  AlertState,
} from '../state/alert-records.ts';

/** A condition that lasts is seen again this often, so that `lastSeenAt` says whether it still does. */
export const CONDITION_SEEN_MS = 3_600_000;

export interface AlertBookOptions {
  readonly records: AlertRecords;
  readonly clock: Clock;
  /** Something about an alert changed. */
  onChanged(alert: Alert): void;
}

/** Alerts: one for each condition, however often it is seen, until it ends. */
export class AlertBook {
  readonly #options: AlertBookOptions;

  constructor(options: AlertBookOptions) {
    this.#options = options;
  }

  /** Newest first. `sequence` is the place of the last one, for the next page. */
  list(states: readonly AlertState[], beforeSequence: number | null, limit: number) {
    const found = this.#options.records.list(states, beforeSequence, limit);
    return found.map((record) => ({ sequence: record.sequence, alert: alertOf(record) }));
  }

  counts(): { open: number; acknowledged: number } {
    return this.#options.records.counts();
  }

  /** A failure, which counts each time. */
  raise(sighting: AlertSighting): void {
    const { records, clock, onChanged } = this.#options;
    const nowMs = clock.nowMs();
    onChanged(alertOf(records.raise(sighting, newId(Math.round(nowMs)), nowMs)));
  }

  /** The condition has ended; nothing where there was none. */
  end(key: AlertKey): void {
    const { records, clock, onChanged } = this.#options;
    const ended = records.resolve(key, clock.nowMs());
    if (ended !== null) onChanged(alertOf(ended));
  }

  /** Takes `conditions` for all that hold of the kinds in `kinds`: new ones are raised, others of them end. */
  observe(kinds: ReadonlySet<string>, conditions: readonly AlertSighting[]): void {
    const nowMs = this.#options.clock.nowMs();
    const known = new Map(this.#options.records.unresolved().map((each) => [textOf(each), each]));
    const holding = new Set(conditions.map(textOf));
    for (const condition of conditions) {
      const alert = known.get(textOf(condition));
      const unchanged =
        alert?.severity === condition.severity && nowMs - alert.lastSeenAt < CONDITION_SEEN_MS;
      if (!unchanged) this.raise(condition);
    }
    for (const [text, alert] of known) {
      if (kinds.has(alert.kind) && !holding.has(text)) this.end(alert);
    }
  }

  /** @throws NOT_FOUND; INVALID_PARAMS when it is resolved already */
  acknowledge(id: string): Alert {
    const before = this.#require(id, 'acknowledge');
    if (before.state === 'resolved') {
      throw cannot('INVALID_PARAMS', 'acknowledge alert', id, 'it is resolved already');
    }
    return this.#move(before, 'acknowledged');
  }

  /** @throws NOT_FOUND */
  resolve(id: string): Alert {
    return this.#move(this.#require(id, 'resolve'), 'resolved');
  }

  #move(before: AlertRecord, state: 'acknowledged' | 'resolved'): Alert {
    const { records, clock, onChanged } = this.#options;
    const after = alertOf(records.moveTo(before.id, state, clock.nowMs()) ?? before);
    if (after.state !== before.state) onChanged(after);
    return after;
  }

  #require(id: string, verb: string): AlertRecord {
    const alert = this.#options.records.get(id);
    if (alert !== null) return alert;
    throw cannot('NOT_FOUND', `${verb} alert`, id, 'no alert has this id', {
      hint: 'holdfast alerts lists those that are not resolved.',
    });
  }
}

const textOf = ({ kind, sourceId, subject }: AlertKey): string =>
  JSON.stringify([kind, sourceId, subject]);

const timeOrNull = (timeMs: number | null): string | null =>
  timeMs === null ? null : isoTime(timeMs);

function alertOf({ sequence: _, ...record }: AlertRecord): Alert {
  return {
    ...record,
    firstSeenAt: isoTime(record.firstSeenAt),
    lastSeenAt: isoTime(record.lastSeenAt),
    acknowledgedAt: timeOrNull(record.acknowledgedAt),
    resolvedAt: timeOrNull(record.resolvedAt),
  };
}
