import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFixture } from './testing/api-fixture.ts';
import { isNewer } from './update-info.ts';

let fixture: ApiFixture;
beforeEach(async () => {
  fixture = await ApiFixture.create();
});
afterEach(() => fixture.remove());

describe('daemon.updateInfo', () => {
  it('F06, M-36: says what a file on this host says of a newer version, and nothing where there is none', async () => {
    const nothing = await fixture.ask('daemon.updateInfo', {});
    expect(nothing).toEqual({ version: '1.2.3', available: null, newer: false });
    const path = join(fixture.settings.stateDirectory, 'update.json');
    await writeFile(path, '{"version": "1.10.0", "url": "https://example.org/"}');
    expect(await fixture.ask('daemon.updateInfo', {})).toEqual({
      version: '1.2.3',
      available: { version: '1.10.0', url: 'https://example.org/', notes: null },
      newer: true,
    });
    for (const text of ['{', '{"version": 7}', ' '.repeat(70_000)]) {
      await writeFile(path, text);
      await expect(fixture.client.call('daemon.updateInfo', {})).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
      });
    }
  });

  it('F06: compares versions by their numbers', () => {
    expect(isNewer('1.2.3', '1.2.3')).toBe(false);
    expect(isNewer('1.2.4', '1.2.3')).toBe(true);
    expect(isNewer('v1.10', '1.9.9')).toBe(true);
    expect(isNewer('1.2.3', '1.2.3.1')).toBe(false);
    expect(isNewer('next', '1.0.0')).toBe(true);
  });
});

it('F04, Z-25, Z-78: daemon.restart answers first, asks for a new start once, and is in the audit trail', async () => {
  expect(await fixture.ask('daemon.restart', {})).toMatchObject({ stopping: true });
  expect([fixture.restarts, fixture.shutdowns]).toEqual([1, 0]);
  expect((await fixture.ask('audit.list', {})).items).toMatchObject([
    { action: 'daemon.restart', outcome: 'ok' },
  ]);
});

it('F09, M-13: a job takes the bounds it was asked for with it, and nothing where none were', async () => {
  const bandwidth = { writeBytesPerSecond: 0 };
  const { job } = await fixture.ask('snapshot.create', { sourceId: 'alpha', bandwidth });
  expect(job.params['bandwidth']).toEqual(bandwidth);
  const held = await fixture.nextHeld();
  const plain = await fixture.ask('snapshot.create', { sourceId: 'beta' });
  expect(plain.job.params).not.toHaveProperty('bandwidth');
  const strange = { sourceId: 'beta', bandwidth: { upKbps: 1 } };
  await expect(fixture.client.call('snapshot.create', strange as never)).rejects.toMatchObject({
    code: 'INVALID_PARAMS',
  });
  await fixture.ask('job.cancel', { id: plain.job.id });
  held.succeed();
});
