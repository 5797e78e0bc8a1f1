import type { DaemonEvent } from '../api/event-hub.ts';
import { AlertBook } from '../health/alert-book.ts';
import type { JobEvent } from '../jobs/job-events.ts';
import type { Service } from '../kernel/service.ts';
import { AlertRecords } from '../state/alert-records.ts';
import { AuditRecords } from '../state/audit-records.ts';
import { FlagRecords } from '../state/flag-records.ts';
import type { StateDatabase } from '../state/state-database.ts';
import { AlertKeeper, type AlertKeeperOptions } from './alert-keeper.ts';
import { Heartbeat } from './heartbeat.ts';

export interface Oversight {
  readonly alerts: AlertBook;
  readonly audit: AuditRecords;
  readonly heartbeat: Heartbeat;
  /** Looks for conditions: to be started once the daemon is ready. */
  readonly keeper: Service;
  /** For `JobQueue.onEvent`. */
  receive(event: JobEvent): void;
  /** Publishes an event, and notes what the daemon decided in it. */
  publish(event: DaemonEvent): void;
}

export type OversightOptions = Omit<AlertKeeperOptions, 'book' | 'startedAtMs'> & {
  readonly state: StateDatabase;
  publish(event: DaemonEvent): void;
};

/** What watches over the daemon's own doings: alerts, the audit trail, the sign of life. */
export function createOversight({ state, publish, ...options }: OversightOptions): Oversight {
  const { clock, logger } = options;
  const alerts = new AlertBook({
    records: new AlertRecords(state),
    clock,
    onChanged: (alert) => publish({ type: 'alert.changed', alert }),
  });
  const audit = new AuditRecords(state);
  const keeper = new AlertKeeper({ ...options, book: alerts, startedAtMs: clock.nowMs() });
  return {
    alerts,
    audit,
    keeper,
    heartbeat: new Heartbeat(new FlagRecords(state), { clock, logger, publish }),
    receive: (event) => keeper.receive(event),
    publish: (event) => {
      if (event.type === 'pending.abandoned') {
        const nobody = { client: null, uid: null, gid: null, pid: null };
        const decision = { action: event.type, actor: 'daemon', params: event.pending } as const;
        audit.finish(audit.begin({ at: clock.nowMs(), ...nobody, ...decision }), 'ok', null);
      }
      publish(event);
    },
  };
}
