import { z } from 'zod';
import { count, listOf, page, recordId, time } from './scalars.ts';

/** Conditions that somebody should know of. */

export const alertState = z.enum(['open', 'acknowledged', 'resolved']);

export const alert = z.object({
  id: z.string(),
  /** A stable string: `BACKUP_FAILED`, `SCHEDULE_STALE`, `LOW_SPACE`, … */
  kind: z.string(),
  /** Null: of no source. */
  sourceId: z.string().nullable(),
  /** Which of several of its kind, such as a schedule or a database; '' where there is only one. */
  subject: z.string(),
  severity: z.enum(['info', 'warning', 'critical']),
  message: z.string(),
  /** The job that showed it last. */
  jobId: z.string().nullable(),
  state: alertState,
  /** How often it was seen: a failure each time, a lasting condition once. */
  count,
  firstSeenAt: time,
  lastSeenAt: time,
  acknowledgedAt: time.nullable(),
  resolvedAt: time.nullable(),
});

export const alertMethods = {
  'alert.list': {
    summary: 'Alerts, newest first; those that are not resolved, unless `states` says otherwise.',
    params: z.strictObject({
      states: z.array(alertState).min(1).max(3).default(['open', 'acknowledged']),
      ...page,
    }),
    result: listOf(alert),
  },
  'alert.ack': {
    summary: 'Somebody knows of it: it stays until its condition ends, and counts as new no more.',
    params: z.strictObject({ id: recordId }),
    result: alert,
  },
  'alert.resolve': {
    summary: 'Ends an alert by hand; should its condition still hold, it comes back as a new one.',
    params: z.strictObject({ id: recordId }),
    result: alert,
  },
};
