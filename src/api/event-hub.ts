import { randomUUID } from 'node:crypto';
import type { JobEvent } from '../jobs/job-events.ts';
import { cannot } from '../kernel/errors.ts';
import { newId } from '../kernel/ids.ts';
import { EVENT_METHOD } from '../protocol/event.ts';
import type { EventNotification, ValidParams } from '../protocol/method-map.ts';
import type { Peer } from '../rpc/connection.ts';
import { jobInShort } from './job-in-short.ts';

type WithoutEnvelope<T> = T extends unknown ? Omit<T, 'subscriptionId' | 'seq'> : never;

/** An event as it is published: without the envelope of a subscription. */
export type DaemonEvent = WithoutEnvelope<Exclude<EventNotification, { type: 'gap' }>>;

export const SUBSCRIPTIONS_PER_CLIENT_MAX = 16;

/** Events kept for subscribers that come back; the text of long ones is bounded too. */
export const EVENTS_KEPT_MAX = 1_024;
const EVENT_BYTES_KEPT_MAX = 4 * 1024 * 1024;

interface NumberedEvent {
  readonly seq: number;
  readonly event: DaemonEvent;
}

interface Subscription {
  readonly id: string;
  readonly peer: Peer;
  readonly wants: (event: DaemonEvent) => boolean;
  /** False while events wait in `early`: for the answer that names the subscription, or for their turn. */
  active: boolean;
  readonly early: NumberedEvent[];
  missed: number;
  missedSeq: number;
}

/** Hands the daemon's events to subscribers. Publishing never waits: who reads too slowly is told of a gap. */
export class EventHub {
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #listening = new WeakSet<Peer>();
  /** Numbers are those of one run of the daemon. */
  readonly #stream = randomUUID();
  /** The newest, in order. */
  readonly #kept: (NumberedEvent & { readonly bytes: number })[] = [];
  #keptBytes = 0;
  #seq = 0;

  publish(event: DaemonEvent): void {
    this.#seq += 1;
    this.#keep(event);
    for (const subscription of this.#subscriptions.values()) {
      if (!subscription.wants(event)) continue;
      if (subscription.active) this.#send(subscription, this.#seq, event);
      else this.#hold(subscription, { seq: this.#seq, event });
    }
  }

  /** For `JobQueue.onEvent`. */
  publishJobEvent(event: JobEvent): void {
    if (event.type === 'job.changed') {
      this.publish({ type: 'job.changed', job: jobInShort(event.job) });
    } else if (event.type === 'job.progress') {
      this.publish({ type: 'job.progress', jobId: event.jobId, progress: event.progress });
    } else {
      for (const line of event.lines) {
        this.publish({ type: 'job.log', jobId: event.jobId, line });
      }
    }
  }

  /** @throws LIMIT_EXCEEDED */
  subscribe(
    peer: Peer,
    { types, jobId, after }: ValidParams<'event.subscribe'>,
    nowMs: number,
  ): { subscriptionId: string; stream: string; seq: number } {
    this.#listenTo(peer);
    const own = [...this.#subscriptions.values()].filter((each) => each.peer === peer);
    if (own.length >= SUBSCRIPTIONS_PER_CLIENT_MAX) {
      throw cannot('LIMIT_EXCEEDED', 'subscribe', 'event', `${own.length} subscriptions are open`, {
        hint: 'End one of them with event.unsubscribe.',
      });
    }
    const subscription: Subscription = {
      id: newId(Math.round(nowMs)),
      peer,
      wants: (event) =>
        (types === undefined || types.includes(event.type)) &&
        (jobId === undefined || jobIdOf(event) === jobId),
      active: false,
      early: [],
      missed: 0,
      missedSeq: 0,
    };
    // Who has said its last gets this answer and hears no more: nothing would ever end its subscription.
    if (!peer.signal.aborted) this.#subscriptions.set(subscription.id, subscription);
    const seq = after === undefined ? this.#seq : this.#replay(subscription, after);
    // By the next turn of the event loop the answer was written.
    setImmediate(() => this.#drain(subscription));
    return { subscriptionId: subscription.id, stream: this.#stream, seq };
  }

  /** Holds what came since; what is not kept any more, or was of an earlier run, becomes a gap. */
  #replay(subscription: Subscription, after: { stream: string; seq: number }): number {
    const known = after.stream === this.#stream && after.seq <= this.#seq;
    const seq = known ? after.seq : 0;
    const before = (this.#kept[0]?.seq ?? this.#seq + 1) - 1;
    subscription.missed = known ? Math.max(before - seq, 0) : Math.max(before, 1);
    subscription.missedSeq = before;
    for (const each of this.#kept) {
      if (each.seq > seq && subscription.wants(each.event)) this.#hold(subscription, each);
    }
    return seq;
  }

  #keep(event: DaemonEvent): void {
    const bytes = event.type === 'job.log' ? event.line.message.length : 1_024;
    this.#kept.push({ seq: this.#seq, event, bytes });
    this.#keptBytes += bytes;
    while (this.#kept.length > EVENTS_KEPT_MAX || this.#keptBytes > EVENT_BYTES_KEPT_MAX) {
      this.#keptBytes -= this.#kept.shift()!.bytes;
    }
  }

  #hold(subscription: Subscription, { seq, event }: NumberedEvent): void {
    subscription.early.push({ seq, event });
    if (subscription.early.length <= EVENTS_KEPT_MAX) return;
    subscription.missed += 1;
    subscription.missedSeq = subscription.early.shift()!.seq;
  }

  /** Sends what is held, as fast as it is read; from then on events go out as they come. */
  #drain(subscription: Subscription): void {
    const { id, peer, early } = subscription;
    if (!this.#subscriptions.has(id) || !this.#tellGap(subscription)) return;
    for (let next = early[0]; next !== undefined; next = early[0]) {
      const { seq, event } = next;
      if (!peer.notify(EVENT_METHOD, { subscriptionId: id, seq, ...event })) return;
      early.shift();
    }
    subscription.active = true;
  }

  /** False when the client has no such subscription. */
  unsubscribe(peer: Peer, subscriptionId: string): boolean {
    if (this.#subscriptions.get(subscriptionId)?.peer !== peer) return false;
    return this.#subscriptions.delete(subscriptionId);
  }

  get subscriptionCount(): number {
    return this.#subscriptions.size;
  }

  #listenTo(peer: Peer): void {
    if (this.#listening.has(peer)) return;
    this.#listening.add(peer);
    const own = (): Subscription[] =>
      [...this.#subscriptions.values()].filter((each) => each.peer === peer);
    peer.onWritable(() => {
      for (const subscription of own()) {
        if (subscription.active) this.#tellGap(subscription);
        else this.#drain(subscription);
      }
    });
    peer.signal.addEventListener(
      'abort',
      () => {
        for (const { id } of own()) this.#subscriptions.delete(id);
      },
      { once: true },
    );
  }

  #send(subscription: Subscription, seq: number, event: DaemonEvent): void {
    const { id, peer } = subscription;
    if (!this.#subscriptions.has(id)) return;
    const sent =
      this.#tellGap(subscription) &&
      peer.notify(EVENT_METHOD, { subscriptionId: id, seq, ...event });
    if (sent) return;
    subscription.missed += 1;
    subscription.missedSeq = seq;
  }

  /** True when there is no gap to tell of (any more). */
  #tellGap(subscription: Subscription): boolean {
    const { id, peer, missed, missedSeq } = subscription;
    if (missed === 0) return true;
    const gap = { subscriptionId: id, seq: missedSeq, type: 'gap', missed };
    if (!peer.notify(EVENT_METHOD, gap)) return false;
    subscription.missed = 0;
    return true;
  }
}

function jobIdOf(event: DaemonEvent): string | null {
  if (event.type === 'job.changed') return event.job.id;
  return event.type === 'job.progress' || event.type === 'job.log' ? event.jobId : null;
}
