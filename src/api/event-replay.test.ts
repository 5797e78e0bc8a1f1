import { expect, it } from 'vitest';
import type { Peer } from '../rpc/connection.ts';
import { EVENTS_KEPT_MAX, EventHub } from './event-hub.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A client that reads as fast as `room` allows. */
class Reader implements Peer {
  readonly id = 1;
  readonly credentials = null;
  readonly signal = new AbortController().signal;
  readonly heard: { seq: number; type: string; missed?: number }[] = [];
  room = Number.POSITIVE_INFINITY;
  #writable: () => void = () => {};

  notify(_method: string, params: unknown): boolean {
    if (this.room <= 0) return false;
    this.room -= 1;
    this.heard.push(params as Reader['heard'][number]);
    return true;
  }

  onWritable(callback: () => void): void {
    this.#writable = callback;
  }

  read(room: number): void {
    this.room = room;
    this.#writable();
  }

  get numbers(): number[] {
    return this.heard.map(({ seq }) => seq);
  }
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

function publish(hub: EventHub, count: number): void {
  for (let index = 0; index < count; index += 1) {
    hub.publish({ type: 'settings.changed', version: index });
  }
}

it('F50, M-41: who comes back hears what came meanwhile, then what comes, each once and in order', async () => {
  const hub = new EventHub();
  const { stream } = hub.subscribe(new Reader(), {}, 0);
  publish(hub, 10);
  const reader = new Reader();
  expect(hub.subscribe(reader, { after: { stream, seq: 4 } }, 0)).toMatchObject({ stream, seq: 4 });
  publish(hub, 2);
  await turn();
  publish(hub, 2);
  expect(reader.numbers).toEqual(range(5, 14));
  expect(reader.heard.some(({ type }) => type === 'gap')).toBe(false);
});

it('F50, M-41: a replay waits for a slow reader, and still neither loses nor doubles anything', async () => {
  const hub = new EventHub();
  const { stream } = hub.subscribe(new Reader(), {}, 0);
  publish(hub, 100);
  const reader = new Reader();
  reader.room = 7;
  hub.subscribe(reader, { after: { stream, seq: 0 } }, 0);
  await turn();
  while (reader.numbers.length < 150) {
    publish(hub, reader.numbers.length < 140 ? 5 : 0);
    reader.read(7);
  }
  reader.read(1_000);
  expect(reader.numbers).toEqual(range(1, reader.numbers.length));
});

it('F50, M-D12: what is not kept any more, and another run of the daemon, is a gap', async () => {
  const hub = new EventHub();
  const { stream } = hub.subscribe(new Reader(), {}, 0);
  publish(hub, EVENTS_KEPT_MAX + 100);
  const reader = new Reader();
  hub.subscribe(reader, { after: { stream, seq: 40 } }, 0);
  await turn();
  expect(reader.heard[0]).toMatchObject({ type: 'gap', missed: 60, seq: 100 });
  expect(reader.numbers.slice(1)).toEqual(range(101, EVENTS_KEPT_MAX + 100));
  const stranger = new Reader();
  hub.subscribe(stranger, { after: { stream: 'of yesterday', seq: 7 } }, 0);
  await turn();
  expect(stranger.heard[0]).toMatchObject({ type: 'gap' });
});

it('F50: only the kinds of events asked for are replayed', async () => {
  const hub = new EventHub();
  const { stream } = hub.subscribe(new Reader(), {}, 0);
  publish(hub, 3);
  hub.publish({ type: 'daemon.heartbeat', at: '2026-01-01T00:00:00.000Z' });
  const reader = new Reader();
  hub.subscribe(reader, { types: ['daemon.heartbeat'], after: { stream, seq: 0 } }, 0);
  await turn();
  expect(reader.heard).toMatchObject([{ type: 'daemon.heartbeat', seq: 4 }]);
});
