import { type Clock, isoTime } from '../kernel/clock.ts';
import { cannot, diskFailure } from '../kernel/errors.ts';
import { newId } from '../kernel/ids.ts';
import type { Alert } from '../protocol/method-map.ts';
import type {
  AlertKey,
  AlertRecord,
  AlertRecords,
  AlertSighting,
  AlertState,
} from '../state/alert-records.ts';
import { alertKeyText, UnwrittenAlerts } from './unwritten-alerts.ts';

/** A condition that lasts is seen again this often, so that `lastSeenAt` says whether it still does. */
export const CONDITION_SEEN_MS = 3_600_000;

export interface AlertBookOptions {
  readonly records: AlertRecords;
  readonly clock: Clock;
  /** Something about an alert changed. */
  onChanged(alert: Alert): void;
}

/** Alerts: one for each condition, however often it is seen, until it ends; in memory alone while state.db fails. */
export class AlertBook {
  readonly #options: AlertBookOptions;
  readonly #unwritten = new UnwrittenAlerts();

  constructor(options: AlertBookOptions) {
    this.#options = options;
  }

  /** Newest first. `sequence` is the place of the last one, for the next page. */
  list(states: readonly AlertState[], beforeSequence: number | null, limit: number) {
    const { records } = this.#options;
    const written = orElse([], () => records.list(states, beforeSequence, limit));
    const isFirstPage = beforeSequence === null && states.includes('open');
    const all = [...(isFirstPage ? this.#onlyUnwritten() : []), ...written].slice(0, limit);
    return all.map((record) => ({ sequence: record.sequence, alert: alertOf(record) }));
  }

  counts(): { open: number; acknowledged: number } {
    const none = { open: 0, acknowledged: 0 };
    const { open, acknowledged } = orElse(none, () => this.#options.records.counts());
    return { open: open + this.#onlyUnwritten().length, acknowledged };
  }

  /** Those of which nothing is written at all. */
  #onlyUnwritten(): AlertRecord[] {
    if (this.#unwritten.size === 0) return [];
    const known = new Set(this.#written().map(alertKeyText));
    return this.#unwritten.list().filter((alert) => !known.has(alertKeyText(alert)));
  }

  #written(): AlertRecord[] {
    return orElse([], () => this.#options.records.unresolved());
  }

  /** Makes durable what could not be before. @throws while it still cannot be */
  #write(): void {
    const { records, clock } = this.#options;
    this.#unwritten.drain(({ kind, sourceId, subject, severity, message, jobId, id }) => {
      const sighting = { kind, sourceId, subject, severity, message, jobId };
      records.raise(sighting, id, clock.nowMs());
    });
  }

  /** A failure, which counts each time. */
  raise(sighting: AlertSighting): void {
    const { records, clock, onChanged } = this.#options;
    const nowMs = clock.nowMs();
    const id = newId(Math.round(nowMs));
    let alert: AlertRecord | null;
    try {
      this.#write();
      alert = records.raise(sighting, id, nowMs);
    } catch (error) {
      if (diskFailure(error) === null) throw error;
      alert = this.#unwritten.raise(sighting, id, nowMs);
    }
    if (alert !== null) onChanged(alertOf(alert));
  }

  /** The condition has ended; nothing where there was none. */
  end(key: AlertKey): void {
    const { records, clock, onChanged } = this.#options;
    const unwritten = this.#unwritten.end(key, clock.nowMs());
    if (unwritten !== null) onChanged(alertOf(unwritten));
    const ended = records.resolve(key, clock.nowMs());
    if (ended !== null) onChanged(alertOf(ended));
  }

  /** Takes `conditions` for all that hold of the kinds in `kinds`: new ones are raised, others of them end. */
  observe(kinds: ReadonlySet<string>, conditions: readonly AlertSighting[]): void {
    const nowMs = this.#options.clock.nowMs();
    const all = [...this.#written(), ...this.#unwritten.list()];
    const known = new Map(all.map((each) => [alertKeyText(each), each]));
    const holding = new Set(conditions.map(alertKeyText));
    for (const condition of conditions) {
      const alert = known.get(alertKeyText(condition));
      const unchanged =
        alert?.severity === condition.severity && nowMs - alert.lastSeenAt < CONDITION_SEEN_MS;
      if (!unchanged) this.raise(condition);
    }
    for (const [text, alert] of known) {
      if (kinds.has(alert.kind) && !holding.has(text)) this.end(alert);
    }
    // While that fails they stay in memory.
    orElse(undefined, () => this.#write());
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
    if (this.#unwritten.has(id)) this.#write();
    const alert = this.#options.records.get(id);
    if (alert !== null) return alert;
    throw cannot('NOT_FOUND', `${verb} alert`, id, 'no alert has this id', {
      hint: 'holdfast alerts lists those that are not resolved.',
    });
  }
}

/** What is read, or `otherwise` where the disk does not let it be. */
function orElse<T>(otherwise: T, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (diskFailure(error) === null) throw error;
    return otherwise;
  }
}

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
