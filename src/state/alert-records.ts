import type { StateDatabase } from './state-database.ts';

export type AlertState = 'open' | 'acknowledged' | 'resolved';
export type AlertSeverity = 'info' | 'warning' | 'critical';

/** What tells one condition from another: while it lasts there is one alert of it. */
export interface AlertKey {
  readonly kind: string;
  /** Null: of no source. */
  readonly sourceId: string | null;
  /** Which of several of its kind, such as the id of a schedule; '' where there is one. */
  readonly subject: string;
}

/** Times: epoch ms. */
export interface AlertRecord extends AlertKey {
  readonly sequence: number;
  readonly id: string;
  readonly severity: AlertSeverity;
  readonly message: string;
  /** The job that showed it last. */
  readonly jobId: string | null;
  readonly state: AlertState;
  /** How often it was seen. */
  readonly count: number;
  readonly firstSeenAt: number;
  readonly lastSeenAt: number;
  readonly acknowledgedAt: number | null;
  readonly resolvedAt: number | null;
}

export type AlertSighting = AlertKey & Pick<AlertRecord, 'severity' | 'message' | 'jobId'>;

/** Alerts kept, the newest; unresolved ones are the last to go. */
export const ALERTS_MAX = 1_000;

const COLUMNS = `sequence, id, kind, sourceId, subject, severity, message, jobId, state, count, firstSeenAt,
  lastSeenAt, acknowledgedAt, resolvedAt`;
const OF_KEY = `kind = @kind AND ifnull(sourceId, '') = ifnull(@sourceId, '') AND subject = @subject
  AND state <> 'resolved'`;

/** What somebody should know of: open, then perhaps acknowledged, at last resolved, which never changes again. */
export class AlertRecords {
  readonly #state: StateDatabase;

  constructor(state: StateDatabase) {
    this.#state = state;
  }

  get(id: string): AlertRecord | null {
    const row = this.#state.connection.prepare(`SELECT ${COLUMNS} FROM alerts WHERE id = ?`);
    return (row.get(id) as AlertRecord | undefined) ?? null;
  }

  counts(): { open: number; acknowledged: number } {
    return this.#state.connection
      .prepare(
        `SELECT count(*) FILTER (WHERE state = 'open') AS open,
           count(*) FILTER (WHERE state = 'acknowledged') AS acknowledged FROM alerts`,
      )
      .get() as { open: number; acknowledged: number };
  }

  unresolved(): AlertRecord[] {
    return this.#state.connection
      .prepare(`SELECT ${COLUMNS} FROM alerts WHERE state <> 'resolved' ORDER BY sequence DESC`)
      .all() as AlertRecord[];
  }

  /** Newest first, those before `beforeSequence`. */
  list(states: readonly AlertState[], beforeSequence: number | null, limit: number): AlertRecord[] {
    return this.#state.connection
      .prepare(
        `SELECT ${COLUMNS} FROM alerts
         WHERE state IN (SELECT value FROM json_each(?)) AND (? IS NULL OR sequence < ?)
         ORDER BY sequence DESC LIMIT ?`,
      )
      .all(JSON.stringify(states), beforeSequence, beforeSequence, limit) as AlertRecord[];
  }

  /** A new alert, or one more sighting of the one there is. `newId` is used for a new one. */
  raise(sighting: AlertSighting, newId: string, nowMs: number): AlertRecord {
    return this.#state.transaction(() => {
      const { connection } = this.#state;
      const at = Math.round(nowMs);
      const seen = connection
        .prepare(
          `UPDATE alerts SET severity = @severity, message = @message, jobId = @jobId, count = count + 1,
             lastSeenAt = @at WHERE ${OF_KEY} RETURNING id`,
        )
        .pluck()
        .get({ ...sighting, at }) as string | undefined;
      if (seen !== undefined) return this.get(seen)!;
      connection
        .prepare(
          `INSERT INTO alerts (id, kind, sourceId, subject, severity, message, jobId, state, count, firstSeenAt,
             lastSeenAt)
           VALUES (@id, @kind, @sourceId, @subject, @severity, @message, @jobId, 'open', 1, @at, @at)`,
        )
        .run({ ...sighting, id: newId, at });
      this.#prune();
      return this.get(newId)!;
    });
  }

  /** Null where there is none that lasts. */
  resolve(key: AlertKey, nowMs: number): AlertRecord | null {
    const id = this.#state.connection
      .prepare(`SELECT id FROM alerts WHERE ${OF_KEY}`)
      .pluck()
      .get({ kind: key.kind, sourceId: key.sourceId, subject: key.subject }) as string | undefined;
    return id === undefined ? null : this.moveTo(id, 'resolved', nowMs);
  }

  /** The alert as it is then; null where there is none. What is resolved stays so. */
  moveTo(id: string, state: 'acknowledged' | 'resolved', nowMs: number): AlertRecord | null {
    const column = state === 'resolved' ? 'resolvedAt' : 'acknowledgedAt';
    const from = state === 'resolved' ? "state <> 'resolved'" : "state = 'open'";
    this.#state.transaction(() =>
      this.#state.connection
        .prepare(`UPDATE alerts SET state = ?, ${column} = ? WHERE id = ? AND ${from}`)
        .run(state, Math.round(nowMs), id),
    );
    return this.get(id);
  }

  #prune(): void {
    this.#state.connection
      .prepare(
        `DELETE FROM alerts WHERE sequence IN
           (SELECT sequence FROM alerts ORDER BY state <> 'resolved' DESC, sequence DESC LIMIT -1 OFFSET ?)`,
      )
      .run(ALERTS_MAX);
  }
}
