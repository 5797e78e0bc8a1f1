import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventNotification } from '../protocol/method-map.ts';
import { RawClient } from '../rpc/testing/raw-client.ts';
import { ApiFixture } from './testing/api-fixture.ts';

let fixture: ApiFixture;

beforeEach(async () => {
  fixture = await ApiFixture.create();
});

afterEach(() => fixture.remove());

const create = (sourceId: string, extra: object = {}) =>
  fixture.ask('snapshot.create', { sourceId, ...extra });

describe('jobs over the socket', () => {
  it('M-08, M-18, F47, T-05, F11, Z-31, Z-44, Z-71: snapshot.create answers with a durable job whose params the operation knows', async () => {
    const { job, coalesced } = await create('alpha name', { reason: 'why', tags: ['t'] });
    expect(coalesced).toBe(false);
    expect(job).toMatchObject({
      kind: 'backup',
      sourceId: 'alpha',
      actor: 'user',
      mutating: true,
      deadlineMs: 60_000,
      params: { sourceId: 'alpha', type: 'full', origin: 'manual', reason: 'why', tags: ['t'] },
    });
    expect(await fixture.ask('job.get', { id: job.id })).toMatchObject({ id: job.id });
    await expect(fixture.client.call('snapshot.create', {})).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
      hint: 'Name one of them: alpha name, beta name.',
    });
  });

  it('F47: the same idempotency key is the same job; an equal one that waits coalesces', async () => {
    const first = await create('alpha', { idempotencyKey: 'k' });
    const again = await create('alpha', { idempotencyKey: 'k' });
    expect(again).toMatchObject({ coalesced: true, job: { id: first.job.id } });
    const waiting = await create('beta');
    expect(await create('beta')).toMatchObject({ coalesced: true, job: { id: waiting.job.id } });
  });

  it('M-11, M-04: check, rebuild and recovery are enqueued as their operations expect', async () => {
    const submitted = [
      await fixture.ask('repository.check', { readData: { percent: 5, seed: 1 } }),
      await fixture.ask('repository.rebuild', {}),
      await fixture.ask('recovery.run', { sourceId: 'beta name', mode: 'check-only' }),
      await fixture.ask('recovery.run', { database: '/srv/app.db' }),
    ];
    expect(
      submitted.map(({ job: { kind, params, mutating } }) => ({ kind, params, mutating })),
    ).toEqual([
      { kind: 'check', params: { readData: { percent: 5, seed: 1 } }, mutating: false },
      { kind: 'rebuild', params: {}, mutating: true },
      { kind: 'recover', params: { sourceId: 'beta', mode: 'check-only' }, mutating: true },
      { kind: 'recover', params: { database: '/srv/app.db', mode: 'if-needed' }, mutating: true },
    ]);
  });

  it('F47, M-23: job.wait answers when the job ends, and at its timeout with the job as it is', async () => {
    const { job } = await create('alpha');
    expect(await fixture.ask('job.wait', { id: job.id, timeoutMs: 0 })).toMatchObject({
      finished: false,
      job: { id: job.id },
    });
    const waiting = fixture.ask('job.wait', { id: job.id });
    (await fixture.nextHeld()).succeed({ snapshotId: 'abc' });
    expect(await waiting).toMatchObject({
      finished: true,
      job: { status: 'succeeded', exitCode: 0, result: { snapshotId: 'abc' } },
    });
    await expect(fixture.client.call('job.cancel', { id: job.id })).rejects.toMatchObject({
      code: 'JOB_FINISHED',
    });
    await expect(fixture.client.call('job.wait', { id: 'none' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('F47: job.list pages newest first, filters by several states, and is short', async () => {
    const { job: running } = await create('alpha', { reason: 'r'.repeat(900) });
    (await fixture.nextHeld()).succeed({ large: 'x'.repeat(10_000) });
    await fixture.ask('job.wait', { id: running.id });
    const ids: string[] = [];
    for (let index = 0; index < 9; index += 1) {
      ids.unshift(
        (await create(index % 2 === 0 ? 'alpha' : 'beta', { tags: [`${index}`] })).job.id,
      );
    }
    const cancelled = await fixture.ask('job.cancel', { id: ids[0]! });
    expect(cancelled.status).toBe('cancelled');
    const all: string[] = [];
    let cursor: string | null = null;
    do {
      const page: { items: readonly { id: string; result: unknown }[]; nextCursor: string | null } =
        await fixture.ask('job.list', { limit: 4, cursor });
      for (const { id, result } of page.items) {
        all.push(id);
        expect(result).toBeNull();
      }
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(all).toEqual([...ids, running.id]);
    const ended = await fixture.ask('job.list', { status: ['succeeded', 'cancelled'], limit: 2 });
    expect(ended.items.map(({ id }) => id)).toEqual([ids[0], running.id]);
    const beta = await fixture.ask('job.list', { sourceId: 'beta name', status: ['queued'] });
    expect(beta.items.every(({ sourceId }) => sourceId === 'beta')).toBe(true);
    expect(beta.items).toHaveLength(4);
    await expect(fixture.client.call('job.list', { cursor: 'x' })).rejects.toMatchObject({
      code: 'INVALID_PARAMS',
    });
  });

  it('F49, M-42: job.logs reads on where it stopped, bounded in bytes, and says when no more will come', async () => {
    const { job } = await create('alpha');
    const held = await fixture.nextHeld();
    for (let index = 1; index <= 60; index += 1) {
      const message = `${index} ${'x'.repeat(60_000)}`;
      held.hooks.onMessage({ type: 'log', stream: 'event', message });
    }
    const seen: number[] = [];
    let fromSeq = 1;
    let pages = 0;
    for (;;) {
      const page = await fixture.ask('job.logs', { id: job.id, fromSeq, limit: 1000 });
      seen.push(...page.items.map(({ seq }) => seq));
      pages += 1;
      fromSeq = page.nextSeq;
      expect(page.finished).toBe(false);
      if (page.nextCursor === null) break;
    }
    expect(pages).toBeGreaterThan(2);
    expect(seen).toEqual(Array.from({ length: seen.length }, (_, index) => index + 1));
    expect(seen.length).toBeGreaterThanOrEqual(60);
    expect(await fixture.ask('job.logs', { id: job.id, fromSeq })).toMatchObject({
      items: [],
      nextSeq: fromSeq,
    });
    held.succeed();
    await fixture.ask('job.wait', { id: job.id });
    expect(await fixture.ask('job.logs', { id: job.id, fromSeq })).toMatchObject({
      finished: true,
    });
  });
});

describe('events', () => {
  it('M-19, M-23, M-24, M-63, M-62: follow a job in order from its first to its last, with rising numbers', async () => {
    const subscription = await fixture.client.subscribe({ types: ['job.changed', 'job.log'] });
    const { job } = await create('alpha');
    const held = await fixture.nextHeld();
    held.hooks.onMessage({ type: 'log', stream: 'stdout', message: 'one' });
    await fixture.ask('job.logs', { id: job.id });
    held.succeed({ large: 1 });
    const events: EventNotification[] = [];
    for await (const event of subscription) {
      events.push(event);
      if (event.type === 'job.changed' && event.job.status === 'succeeded') break;
    }
    const told = events.map((event) =>
      event.type === 'job.changed' ? event.job.status : event.type,
    );
    expect(told).toEqual(['queued', 'running', 'job.log', 'succeeded']);
    expect(events.at(-1)).toMatchObject({ job: { id: job.id, result: null } });
    const numbers = events.map(({ seq }) => seq);
    expect([...numbers].sort((left, right) => left - right)).toEqual(numbers);
    expect(numbers[0]).toBeGreaterThan(subscription.startSeq);
  });

  it('F50: come after the answer that names their subscription, even those of the same moment', async () => {
    const raw = await RawClient.open(fixture.settings.socketPath);
    await raw.ask('daemon.hello', { protocol: 1 });
    raw.send(
      `${JSON.stringify({ jsonrpc: '2.0', id: 's', method: 'event.subscribe', params: {} })}\n` +
        `${JSON.stringify({ jsonrpc: '2.0', id: 'c', method: 'snapshot.create', params: { sourceId: 'alpha' } })}\n`,
    );
    const lines = [await raw.read(), await raw.read(), await raw.read()];
    const answer = lines.findIndex(({ id }) => id === 's');
    const event = lines.findIndex(({ method }) => method === 'event');
    expect(event).toBeGreaterThan(answer);
    expect(lines[event].params).toMatchObject({
      subscriptionId: lines[answer].result.subscriptionId,
      type: 'job.changed',
    });
    raw.close();
  });

  it('F50: of a job reach only who asked for that job; none come after unsubscribing', async () => {
    const { job } = await create('alpha');
    const held = await fixture.nextHeld();
    const raw = await RawClient.open(fixture.settings.socketPath);
    await raw.ask('daemon.hello', { protocol: 1 });
    const { result } = await raw.ask('event.subscribe', { jobId: job.id });
    await create('beta');
    fixture.events.publish({ type: 'daemon.changed', ready: true, bootPhase: 'ready' });
    held.succeed();
    for (let ended = false; !ended; ) {
      const { params } = await raw.read();
      expect(params.jobId ?? params.job.id).toBe(job.id);
      ended = params.job?.status === 'succeeded';
    }
    const { subscriptionId } = result;
    expect(await raw.ask('event.unsubscribe', { subscriptionId })).toMatchObject({
      result: { ended: true },
    });
    fixture.events.publish({ type: 'daemon.changed', ready: false, bootPhase: 'stopping' });
    expect(await raw.ask('event.unsubscribe', { subscriptionId })).toMatchObject({
      result: { ended: false },
    });
    const other = await fixture.client.subscribe();
    expect(await raw.ask('event.unsubscribe', { subscriptionId: other.id })).toMatchObject({
      result: { ended: false },
    });
    raw.close();
  });

  it('F50, M-41, M-D12: that a slow subscriber missed become one gap with their exact number, then go on', async () => {
    const raw = await RawClient.open(fixture.settings.socketPath);
    await raw.ask('daemon.hello', { protocol: 1 });
    const { result } = await raw.ask('event.subscribe', { types: ['daemon.changed'] });
    raw.socket.pause();
    const total = 20_000;
    for (let index = 0; index < total; index += 1) {
      fixture.events.publish({ type: 'daemon.changed', ready: true, bootPhase: 'ready' });
    }
    raw.socket.resume();
    let received = 0;
    for (;;) {
      const { params } = await raw.read();
      if (params.type === 'gap') {
        expect(received + params.missed).toBe(total);
        expect(params.seq).toBe(result.seq + total);
        expect(params.missed).toBeGreaterThan(0);
        break;
      }
      received += 1;
      expect(params.seq).toBe(result.seq + received);
    }
    fixture.events.publish({ type: 'daemon.changed', ready: false, bootPhase: 'stopping' });
    expect((await raw.read()).params).toMatchObject({ type: 'daemon.changed', ready: false });
    raw.close();
  });

  it('F50: subscriptions end with their client, and are bounded', async () => {
    const { client } = await fixture.connect();
    for (let index = 0; index < 16; index += 1) await client.subscribe();
    await expect(client.subscribe()).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(fixture.events.subscriptionCount).toBe(16);
    client.close();
    while (fixture.events.subscriptionCount > 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
});
