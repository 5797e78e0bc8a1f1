import type { EventNotification } from '../protocol/method-map.ts';

/** Events held for a consumer that is behind; beyond it they are counted and told as a gap. */
const EVENTS_HELD_MAX = 1000;

/**
 * The events of one subscription, for one `for await`. A consumer that falls behind gets a `gap` event, as from
 * the daemon itself; reading is never stopped for it, because answers come on the same connection.
 */
export class Subscription implements AsyncIterableIterator<EventNotification> {
  readonly id: string;
  /** The number of the last event before this subscription. */
  readonly startSeq: number;
  readonly #onClose: () => void;
  readonly #held: EventNotification[] = [];
  #missed = 0;
  #missedSeq = 0;
  #waiting: {
    resolve(result: IteratorResult<EventNotification>): void;
    reject(error: unknown): void;
  } | null = null;
  #ended: { error: unknown } | null = null;

  constructor(id: string, startSeq: number, onClose: () => void) {
    this.id = id;
    this.startSeq = startSeq;
    this.#onClose = onClose;
  }

  /** Takes an event from the connection. */
  push(event: EventNotification): void {
    if (this.#ended !== null) return;
    if (this.#waiting !== null) {
      const { resolve } = this.#waiting;
      this.#waiting = null;
      resolve({ done: false, value: event });
    } else if (this.#held.length < EVENTS_HELD_MAX && this.#missed === 0) {
      this.#held.push(event);
    } else {
      this.#missed += event.type === 'gap' ? event.missed : 1;
      this.#missedSeq = event.seq;
    }
  }

  /** Ends the iteration once what is held was read; with `error`, by throwing it. */
  end(error: unknown = null): void {
    if (this.#ended !== null) return;
    this.#ended = { error };
    const waiting = this.#waiting;
    this.#waiting = null;
    if (error !== null) waiting?.reject(error);
    else waiting?.resolve({ done: true, value: undefined });
  }

  next(): Promise<IteratorResult<EventNotification>> {
    const event = this.#held.shift() ?? this.#takeGap();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    if (this.#ended !== null) {
      const { error } = this.#ended;
      this.#ended = { error: null };
      return error === null
        ? Promise.resolve({ done: true, value: undefined })
        : Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** Called by `break` and by hand: tells the daemon to stop. */
  return(): Promise<IteratorResult<EventNotification>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  close(): void {
    if (this.#ended === null) this.#onClose();
    this.#held.length = 0;
    this.#missed = 0;
    this.end();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #takeGap(): EventNotification | undefined {
    if (this.#missed === 0) return undefined;
    const missed = this.#missed;
    this.#missed = 0;
    return { subscriptionId: this.id, seq: this.#missedSeq, type: 'gap', missed };
  }
}
