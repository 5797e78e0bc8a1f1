import { hostname } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { methods, needsHello } from '../protocol/methods.ts';
import { RawClient } from '../rpc/testing/raw-client.ts';
import { createApi } from './api.ts';
import { ApiFixture } from './testing/api-fixture.ts';

let fixture: ApiFixture;

beforeEach(async () => {
  fixture = await ApiFixture.create();
});

afterEach(() => fixture.remove());

describe('the api', () => {
  it('Z-105, M-63: has one handler for each method of the protocol', () => {
    const { names } = createApi({} as never);
    expect([...names].sort()).toEqual(Object.keys(methods).sort());
  });

  it('Z-79: offers what could once be done only inside the process', () => {
    const { names } = createApi({} as never);
    const offered = [
      ...['snapshot.files', 'tree.list', 'restore.file', 'retention.preview', 'retention.apply'],
      ...['health.report', 'recovery.run', 'recovery.reports', 'database.checkpoint'],
    ];
    expect([...names]).toEqual(expect.arrayContaining(offered));
  });

  it('F57: no object in the place of a text makes reading the params fail from the inside', async () => {
    const client = await RawClient.open(fixture.settings.socketPath);
    await client.ask('daemon.hello', { protocol: 1 });
    const hostile = JSON.parse('{"length": {"toString": 1, "valueOf": 1}}');
    for (const [method, params] of [
      ['source.get', { sourceId: hostile }],
      ['snapshot.tag', { ids: hostile }],
      ['repository.addKey', { kind: 'keyFile', path: hostile }],
      ['secret.set', { name: hostile, value: hostile }],
    ] as const) {
      expect((await client.ask(method, params)).error, method).toMatchObject({ code: -32602 });
    }
    const long = await client.ask('source.list', { ['k'.repeat(100_000)]: 1 });
    expect(JSON.stringify(long).length).toBeLessThan(5_000);
    client.close();
  });

  it('answers strangers with probes and the contract alone', async () => {
    const stranger = await RawClient.open(fixture.settings.socketPath);
    for (const name of Object.keys(methods) as (keyof typeof methods)[]) {
      if (name === 'daemon.hello') continue;
      const { error } = await stranger.ask(name);
      if (needsHello(name)) expect(error.data, name).toMatchObject({ code: 'PROTOCOL_MISMATCH' });
      else expect(error, name).toBeUndefined();
    }
    await stranger.ask('daemon.hello', { protocol: 1 });
    expect(await stranger.ask('source.list')).toHaveProperty('result');
    stranger.close();
  });

  it('M-02, F01: refuses a version it does not speak, and greets nobody by that', async () => {
    const client = await RawClient.open(fixture.settings.socketPath);
    for (const protocol of [0, 2, 999]) {
      expect(await client.ask('daemon.hello', { protocol })).toMatchObject({
        error: {
          code: -32024,
          data: { code: 'PROTOCOL_MISMATCH', details: { protocol: 1, protocolMin: 1 } },
        },
      });
    }
    expect(await client.ask('source.list')).toMatchObject({
      error: { data: { code: 'PROTOCOL_MISMATCH' } },
    });
    client.close();
  });

  it('F11, Z-44, Z-71, F-05: names every field that is wrong, and no more than ten', async () => {
    const client = await RawClient.open(fixture.settings.socketPath);
    await client.ask('daemon.hello', { protocol: 1 });
    const answer = await client.ask('snapshot.create', { type: 'half', tags: 'x', typo: 1 });
    expect(answer.error).toMatchObject({
      code: -32602,
      message: expect.stringContaining('type:'),
      data: { code: 'INVALID_PARAMS', retryable: false },
    });
    expect(answer.error.data.details.issues).toHaveLength(3);
    for (const params of [[], [1], { id: 5 }, {}, { id: '' }, { id: 'x'.repeat(1000) }]) {
      expect(await client.ask('job.get', params)).toMatchObject({
        error: { data: { code: 'INVALID_PARAMS' } },
      });
    }
    const many = Array.from({ length: 1000 }, () => 5);
    const flood = await client.ask('restore.run', { snapshotId: 'latest', paths: many });
    expect(flood.error.data.details.issues).toHaveLength(10);
    client.close();
  });

  it('survives any params of any method', async () => {
    const client = await RawClient.open(fixture.settings.socketPath);
    await client.ask('daemon.hello', { protocol: 1 });
    const odd: unknown[] = [
      [],
      { id: '../../etc/passwd' },
      { id: { $gt: 1 } },
      { cursor: 'AAAA' },
      { cursor: Buffer.from('[[[]]]').toString('base64url') },
      { limit: -1 },
      { limit: 1e300 },
      { path: '/../..', snapshotId: 'latest' },
      { ['__proto__']: { greeted: true } },
    ];
    for (const name of Object.keys(methods)) {
      if (name === 'daemon.shutdown') continue;
      for (const params of odd) {
        const answer = await client.ask(name, params);
        const code = answer.error?.data.code ?? 'none';
        expect(code, `${name} ${JSON.stringify(params)}`).not.toBe('INTERNAL');
      }
    }
    client.close();
  });

  it('hands out the contract as an OpenRPC document, within one answer', async () => {
    const document = await fixture.ask('rpc.discover', {});
    expect(document).toMatchObject({ openrpc: '1.3.2', info: { title: 'Holdfast' } });
    expect(document['methods']).toHaveLength(Object.keys(methods).length);
  });
});

describe('daemon', () => {
  it('F03: status answers from memory within 50 ms, whatever boot is doing', async () => {
    fixture.boot = {
      ready: false,
      phase: 'recovery',
      progress: { message: 'app.db', done: 1, total: 3 },
    };
    fixture.facts = {
      ...fixture.facts,
      databases: Array.from({ length: 300 }, (_, index) => ({
        path: `/a/${index}.db`,
        state: index === 299 ? ('needs-operator' as const) : ('ok' as const),
        reason: null,
        checkedAt: null,
        reportId: null,
      })),
    };
    for (let index = 0; index < 200; index += 1) {
      fixture.jobs.submit({
        kind: 'backup',
        sourceId: 'alpha',
        params: { index },
        actor: 'user',
        mutating: true,
      });
    }
    const startedMs = performance.now();
    const rounds = 20;
    for (let index = 0; index < rounds; index += 1) await fixture.client.call('daemon.status', {});
    expect((performance.now() - startedMs) / rounds).toBeLessThan(50);
    const status = await fixture.ask('daemon.status', {});
    expect(status).toMatchObject({
      version: '1.2.3',
      protocol: 1,
      pid: process.pid,
      ready: false,
      bootPhase: 'recovery',
      bootProgress: { done: 1, total: 3 },
      queue: { queuedCount: 199 },
      repository: null,
    });
    expect(status.queue.running).toHaveLength(1);
    expect(status.queue.queued).toHaveLength(20);
    expect(status.sources.map(({ id }) => id)).toEqual(['alpha', 'beta']);
    expect(status.sources[0]!.databases).toHaveLength(100);
    expect(status.sources[0]!.databases[0]).toMatchObject({ state: 'needs-operator' });
  });

  it('F01, F02, M-02, M-03, Z-25: hello, ping and shutdown answer; shutdown is asked for once each time', async () => {
    const { hello, client } = await fixture.connect();
    expect(hello).toMatchObject({ protocol: 1, version: '1.2.3', ready: true });
    // Lower case, as everywhere on the wire.
    expect(hello.host).toEqual({ name: hostname(), os: process.platform, arch: process.arch });
    expect(`${hello.host.os} ${hello.host.arch}`).toMatch(/^[a-z0-9]+ [a-z0-9]+$/);
    client.close();
    expect((await fixture.ask('daemon.ping', {})).pid).toBe(process.pid);
    expect(await fixture.ask('daemon.shutdown', {})).toEqual({ stopping: true });
    expect(fixture.shutdowns).toBe(1);
  });
});

describe('source, schedule and settings', () => {
  it('lists and shows what is configured, by id or name', async () => {
    const first = await fixture.ask('source.list', { limit: 1 });
    expect(first.items.map(({ id }) => id)).toEqual(['alpha']);
    const second = await fixture.ask('source.list', { limit: 1, cursor: first.nextCursor });
    expect(second.items.map(({ id }) => id)).toEqual(['beta']);
    expect(second.nextCursor).toBeNull();
    for (const sourceId of ['beta', 'beta name']) {
      expect(await fixture.ask('source.get', { sourceId })).toMatchObject({
        id: 'beta',
        databaseDepth: 0,
        watch: { mode: 'events' },
      });
    }
    await expect(fixture.client.call('source.get', { sourceId: 'gamma' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      hint: 'Configured sources: alpha name, beta name.',
    });
    expect(await fixture.ask('settings.get', {})).toMatchObject({ codec: 'auto' });
  });

  it('lists schedules, the next due first', async () => {
    const schedule = (id: string, sourceId: string, nextDueAt: string | null) => ({
      id,
      sourceId,
      kind: 'backup' as const,
      trigger: { type: 'interval' as const, intervalMs: 1000 },
      enabled: true,
      catchUp: 'one' as const,
      nextDueAt,
      lastRunAt: null,
      jitterMs: 0,
      overlap: 'skip' as const,
      origin: 'configuration' as const,
      idleness: null,
      lastDueAt: null,
      lastStatus: null,
      lastJobId: null,
    });
    fixture.schedules = [
      schedule('never', 'alpha', null),
      schedule('late', 'beta', '2026-01-02T00:00:00.000Z'),
      schedule('early', 'alpha', '2026-01-01T00:00:00.000Z'),
    ];
    const ids = async (sourceId?: string): Promise<string[]> =>
      (await fixture.ask('schedule.list', sourceId === undefined ? {} : { sourceId })).items.map(
        ({ id }) => id,
      );
    expect(await ids()).toEqual(['early', 'late', 'never']);
    expect(await ids('alpha name')).toEqual(['early', 'never']);
  });
});
