import type { JobDocument } from '../../../src/protocol/method-map.ts';

/** Of the next job of a kind: who ends at which of its durable steps. */
export interface OrderedKill {
  readonly jobKind: JobDocument['kind'];
  readonly victim: 'worker' | 'daemon';
  readonly atStep: number;
}
