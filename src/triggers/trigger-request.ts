/** What triggers ask for: they never act themselves. Equal requests that still wait coalesce in the queue. */
export interface TriggerRequest {
  readonly kind: 'backup' | 'check' | 'verify' | 'drill';
  readonly sourceId: string | null;
  readonly params: Record<string, unknown>;
  readonly actor: 'schedule' | 'change';
  /** The same key never makes a second job: one for each tick of a schedule. */
  readonly idempotencyKey: string | null;
}

/** Gives the job, once it is durable; fails with QUEUE_FULL and the like. */
export type Enqueue = (
  request: TriggerRequest,
) => { readonly id: string } | Promise<{ readonly id: string }>;
