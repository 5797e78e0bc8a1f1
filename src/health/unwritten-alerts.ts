import type { AlertKey, AlertRecord, AlertSighting } from '../state/alert-records.ts';

/** More are counted on those that are there. */
const UNWRITTEN_MAX = 200;

/** Newer than everything that is written; they have no place among pages. */
const SEQUENCE = Number.MAX_SAFE_INTEGER;

export const alertKeyText = ({ kind, sourceId, subject }: AlertKey): string =>
  JSON.stringify([kind, sourceId, subject]);

/**
 * Alerts of a time when state.db cannot be written: that is when they matter most. In memory until they can be
 * made durable.
 */
export class UnwrittenAlerts {
  readonly #alerts = new Map<string, AlertRecord>();

  get size(): number {
    return this.#alerts.size;
  }

  /** Newest first. */
  list(): AlertRecord[] {
    return [...this.#alerts.values()].reverse();
  }

  has(id: string): boolean {
    return this.list().some((alert) => alert.id === id);
  }

  get(key: AlertKey): AlertRecord | undefined {
    return this.#alerts.get(alertKeyText(key));
  }

  /** Null where there are too many already. */
  raise(sighting: AlertSighting, id: string, nowMs: number): AlertRecord | null {
    const text = alertKeyText(sighting);
    const known = this.#alerts.get(text);
    if (known === undefined && this.#alerts.size >= UNWRITTEN_MAX) return null;
    const { kind, sourceId, subject, severity, message, jobId } = sighting;
    const at = Math.round(nowMs);
    const alert: AlertRecord = {
      sequence: SEQUENCE,
      id: known?.id ?? id,
      ...{ kind, sourceId, subject, severity, message, jobId },
      state: 'open',
      count: (known?.count ?? 0) + 1,
      firstSeenAt: known?.firstSeenAt ?? at,
      lastSeenAt: at,
      acknowledgedAt: null,
      resolvedAt: null,
    };
    this.#alerts.set(text, alert);
    return alert;
  }

  /** The alert that is no more, as resolved; null where there was none. */
  end(key: AlertKey, nowMs: number): AlertRecord | null {
    const text = alertKeyText(key);
    const alert = this.#alerts.get(text);
    if (alert === undefined) return null;
    this.#alerts.delete(text);
    return { ...alert, state: 'resolved', resolvedAt: Math.round(nowMs) };
  }

  /** Hands each over, oldest first, and forgets those that `write` takes. @throws what `write` does */
  drain(write: (alert: AlertRecord) => void): void {
    for (const [text, alert] of [...this.#alerts]) {
      write(alert);
      this.#alerts.delete(text);
    }
  }
}
