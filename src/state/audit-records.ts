import type { StateDatabase } from './state-database.ts';

/** Who changed what, and how it went. */
export interface AuditRecord {
  readonly sequence: number;
  /** Epoch ms. */
  readonly at: number;
  /** A method, or what the daemon decided of its own accord. */
  readonly action: string;
  readonly actor: 'user' | 'daemon';
  /** As the client called itself. */
  readonly client: string | null;
  /** Of the process at the other end of the socket, by the kernel's word; null where it has none. */
  readonly uid: number | null;
  readonly gid: number | null;
  readonly pid: number | null;
  readonly params: unknown;
  /** `ok`, or the code of the error; null: it was begun, and the daemon ended before the answer. */
  readonly outcome: string | null;
  readonly jobId: string | null;
}

export type NewAuditRecord = Omit<AuditRecord, 'sequence' | 'outcome' | 'jobId'>;

/** The newest rows are kept. */
export const AUDIT_ROWS_MAX = 10_000;

export class AuditRecords {
  readonly #state: StateDatabase;

  constructor(state: StateDatabase) {
    this.#state = state;
  }

  /** Durable before what it tells of is done. Returns its sequence. */
  begin(record: NewAuditRecord): number {
    return this.#state.transaction(() => {
      const { connection } = this.#state;
      const { lastInsertRowid } = connection
        .prepare(
          `INSERT INTO audit (at, action, actor, client, uid, gid, pid, params)
           VALUES (@at, @action, @actor, @client, @uid, @gid, @pid, @params)`,
        )
        .run({ ...record, at: Math.round(record.at), params: JSON.stringify(record.params) });
      const sequence = Number(lastInsertRowid);
      connection.prepare('DELETE FROM audit WHERE sequence <= ?').run(sequence - AUDIT_ROWS_MAX);
      return sequence;
    });
  }

  finish(sequence: number, outcome: string, jobId: string | null): void {
    this.#state.transaction(() =>
      this.#state.connection
        .prepare('UPDATE audit SET outcome = ?, jobId = ? WHERE sequence = ?')
        .run(outcome, jobId, sequence),
    );
  }

  /** Newest first, those before `beforeSequence`, of one action or of all. */
  list(action: string | null, beforeSequence: number | null, limit: number): AuditRecord[] {
    const rows = this.#state.connection
      .prepare(
        `SELECT sequence, at, action, actor, client, uid, gid, pid, params, outcome, jobId FROM audit
         WHERE (@action IS NULL OR action = @action) AND (@before IS NULL OR sequence < @before)
         ORDER BY sequence DESC LIMIT @limit`,
      )
      .all({ action, before: beforeSequence, limit }) as (AuditRecord & { params: string })[];
    return rows.map((row) => ({ ...row, params: JSON.parse(row.params) as unknown }));
  }
}
