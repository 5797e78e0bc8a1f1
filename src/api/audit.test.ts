import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { methods } from '../protocol/methods.ts';
import { AUDIT_ROWS_MAX } from '../state/audit-records.ts';
import { inShort, isReading } from './audit-trail.ts';
import { ApiFixture } from './testing/api-fixture.ts';

let fixture: ApiFixture;
beforeEach(async () => {
  fixture = await ApiFixture.create();
});
afterEach(() => fixture.remove());

describe('the audit trail', () => {
  it('F57, M-54: has one row for each change, with who asked for it and how it went', async () => {
    const { job } = await fixture.ask('snapshot.create', { sourceId: 'alpha' });
    await fixture.ask('job.list', {});
    await expect(fixture.client.call('job.cancel', { id: 'unknown' })).rejects.toThrow();
    const { items } = await fixture.ask('audit.list', {});
    expect(items).toMatchObject([
      { action: 'job.cancel', outcome: 'NOT_FOUND', jobId: null, params: { id: 'unknown' } },
      { action: 'snapshot.create', outcome: 'ok', jobId: job.id, params: { sourceId: 'alpha' } },
    ]);
    for (const row of items) {
      expect(row).toMatchObject({ actor: 'user', client: 'test 0' });
      if (process.platform !== 'linux') continue;
      const [uid, gid, pid] = [process.getuid!(), process.getgid!(), process.pid];
      expect(row).toMatchObject({ uid, gid, pid });
    }
  });

  it('F57: is paged, of one action where asked, and bounded', async () => {
    for (let index = 0; index < 5; index += 1) {
      await fixture.client.call('job.cancel', { id: `j${index}` }).catch(() => {});
    }
    await fixture.ask('snapshot.create', { sourceId: 'alpha' });
    const first = await fixture.ask('audit.list', { action: 'job.cancel', limit: 3 });
    const rest = await fixture.ask('audit.list', {
      action: 'job.cancel',
      limit: 3,
      cursor: first.nextCursor,
    });
    const ids = [...first.items, ...rest.items].map(({ params }) => (params as { id: string }).id);
    expect(ids).toEqual(['j4', 'j3', 'j2', 'j1', 'j0']);
    expect(rest.nextCursor).toBeNull();
    fixture.state.connection
      .prepare('UPDATE sqlite_sequence SET seq = ? WHERE name = ?')
      .run(AUDIT_ROWS_MAX + 5, 'audit');
    await fixture.client.call('job.cancel', { id: 'last' }).catch(() => {});
    expect((await fixture.ask('audit.list', {})).items).toMatchObject([{ params: { id: 'last' } }]);
  });

  it('F57: holds no secret, and no more than a few KiB of anything', async () => {
    await fixture.ask('secret.set', { name: 'mail', value: 'hunter2' });
    const { items } = await fixture.ask('audit.list', {});
    expect(JSON.stringify(items)).not.toContain('hunter2');
    expect(items).toMatchObject([{ action: 'secret.set', params: { name: 'mail' } }]);
    expect(inShort({ hook: { env: { TOKEN: 'x' } } })).toEqual({ hook: { env: '(hidden)' } });
    expect(inShort({ set: 'x'.repeat(10_000) })).toEqual({ fields: ['set'], bytes: 10_010 });
  });

  it('F57: a change that cannot be noted is not made, but the daemon can be told to stop', async () => {
    fixture.state.connection.exec('DROP TABLE audit');
    await expect(fixture.client.call('snapshot.create', { sourceId: 'alpha' })).rejects.toThrow();
    expect((await fixture.ask('job.list', {})).items).toEqual([]);
    await fixture.ask('daemon.shutdown', {});
    expect(fixture.shutdowns).toBe(1);
  });

  it('M-54: notes every method that its name says changes something', () => {
    const changing =
      /\.(set|add|update|remove|reset|create|delete|run|apply|cancel|pause|resume|tag|pin|unpin|prune|ack|resolve|shutdown|quarantinePurge)$/;
    const unnoted = (Object.keys(methods) as (keyof typeof methods)[])
      .filter((name) => changing.test(name))
      .filter(isReading);
    expect(unnoted).toEqual([]);
  });
});

describe('alerts over the socket', () => {
  it('F57, F03: are in status, listed, acknowledged and resolved, and each change is an event', async () => {
    const heard: string[] = [];
    const subscription = await fixture.client.subscribe({ types: ['alert.changed'] });
    fixture.alerts.raise({
      kind: 'BACKUP_FAILED',
      sourceId: 'alpha',
      subject: '',
      severity: 'warning',
      message: 'backup failed',
      jobId: null,
    });
    const { alerts } = await fixture.ask('daemon.status', {});
    expect(alerts).toMatchObject({ open: 1, acknowledged: 0, newest: [{ kind: 'BACKUP_FAILED' }] });
    const { id } = alerts.newest[0]!;
    await fixture.ask('alert.ack', { id });
    expect((await fixture.ask('alert.list', {})).items).toMatchObject([{ state: 'acknowledged' }]);
    await fixture.ask('alert.resolve', { id });
    expect((await fixture.ask('alert.list', {})).items).toEqual([]);
    const { items, nextCursor } = await fixture.ask('alert.list', { states: ['resolved'] });
    expect(items).toMatchObject([{ id, state: 'resolved' }]);
    expect(nextCursor).toBeNull();
    for await (const event of subscription) {
      if (event.type === 'alert.changed') heard.push(event.alert.state);
      if (heard.length === 3) break;
    }
    expect(heard).toEqual(['open', 'acknowledged', 'resolved']);
  });
});
