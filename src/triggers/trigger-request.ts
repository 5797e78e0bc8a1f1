/** What changes ask for: triggers never act themselves. Equal requests that still wait coalesce in the queue. */
export interface TriggerRequest {
  readonly kind: 'backup';
  readonly sourceId: string;
  readonly params: Record<string, unknown>;
  readonly actor: 'change';
  readonly idempotencyKey: null;
}

/** Gives the job, once it is durable; fails with QUEUE_FULL and the like. */
export type Enqueue = (
  request: TriggerRequest,
) => { readonly id: string } | Promise<{ readonly id: string }>;
