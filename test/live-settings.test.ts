import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { holdfastBin, Sandbox } from './support/sandbox.ts';

/** Promise: settings and sources change while the daemon runs, hold at once, and still hold after a restart. */

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
  await writeFile(join(sandbox.data, 'notes.txt'), 'first');
});
afterEach(() => sandbox.dispose());

const ORIGINS = { timeout: 20_000, interval: 50 };

describe('while the daemon runs', () => {
  it('F07, Z-08, T-D21: a source that was not watched is watched from the change on, and after a restart', async () => {
    const daemon = await sandbox.start();
    const client = await sandbox.client();
    const watch = { enabled: true, quietMs: 50, minGapMs: 0, maxWaitMs: 1000, pollMs: 200 };
    const { version } = await client.call('source.update', { sourceId: 'app', patch: { watch } });
    expect(version).toBe(1);
    const snapshots = async () => (await client.call('snapshot.list', { sourceId: 'app' })).items;
    await expect.poll(async () => (await snapshots()).length, ORIGINS).toBe(1);
    await appendFile(join(sandbox.data, 'notes.txt'), ' second');
    await expect.poll(async () => (await snapshots()).length, ORIGINS).toBe(2);
    expect((await snapshots()).map(({ origin }) => origin)).toEqual(['change', 'change']);

    daemon.process.kill('SIGTERM');
    await daemon.ended;
    await sandbox.start();
    const again = await sandbox.client();
    const settings = await again.call('settings.get', {});
    expect(settings.version).toBe(1);
    expect(settings.origins['sources.app.watch.quietMs']).toBe('change');
    expect((await again.call('source.get', { sourceId: 'app' })).watch.mode).not.toBe('off');
    await again.call('source.update', { sourceId: 'app', patch: { watch: null } });
    expect((await again.call('source.get', { sourceId: 'app' })).watch.mode).toBe('off');
  });

  it('F10, M-30, M-D10, T-04: sources are added, renamed and removed; their snapshots stay theirs', async () => {
    await sandbox.start();
    const client = await sandbox.client();
    const wiki = join(sandbox.root, 'wiki');
    await mkdir(wiki);
    await writeFile(join(wiki, 'page.md'), 'hello');
    const source = {
      name: 'wiki',
      roots: [wiki],
      tags: ['nightly'],
      watch: { enabled: false },
      schedules: [],
    };
    const added = await client.call('source.add', { source });
    expect(added.sourceId).toBe('wiki');
    expect(added.warnings.map(({ code }) => code)).toContain('NO_TRIGGER');
    const { snapshotId } = await sandbox.json(['backup', 'wiki']);
    await client.call('source.rename', { sourceId: 'wiki', name: 'Handbook' });
    const listed = await client.call('snapshot.list', { sourceId: 'Handbook' });
    expect(listed.items).toMatchObject([{ id: snapshotId, tags: ['nightly'] }]);

    await client.call('source.update', { sourceId: 'Handbook', patch: { exclude: ['data/x/**'] } });
    const { parent } = await client.call('snapshot.get', {
      id: (await sandbox.json(['backup', 'Handbook']))['snapshotId'],
    });
    expect(parent).toBe(snapshotId);

    await client.call('source.remove', { sourceId: 'Handbook' });
    expect((await client.call('source.list', {})).items.map(({ id }) => id)).toEqual(['app']);
    expect((await client.call('snapshot.list', { sourceId: 'wiki' })).items).toHaveLength(2);
    await expect(client.call('source.get', { sourceId: 'wiki' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('M-D2, M-34: what is refused changes nothing and says why; the command line says it by its exit code', async () => {
    await sandbox.start();
    const refused = await sandbox.run(['settings', 'set', 'stateDirectory="/elsewhere"']);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain('configuration file');
    expect((await sandbox.run(['settings', 'set', 'logLevl=debug'])).exitCode).toBe(2);
    const changed = await sandbox.json([
      'settings',
      'set',
      'logLevel=debug',
      'quarantine.maxCount=0',
    ]);
    expect(changed).toEqual({ version: 1 });
    const conflict = await sandbox.run(['settings', 'reset', '--expect-version', '0']);
    expect(conflict.exitCode).toBe(11);
    expect(await sandbox.json(['settings', 'get'])).toMatchObject({
      logLevel: 'debug',
      quarantine: { maxCount: 0 },
      version: 1,
    });
    await sandbox.json(['settings', 'reset']);
    expect(await sandbox.json(['settings'])).toMatchObject({ logLevel: 'info', version: 2 });
  });

  it('a file edited into conflict with a change: the daemon starts, and says what does not hold', async () => {
    const daemon = await sandbox.start();
    const more = join(sandbox.root, 'more');
    await mkdir(more);
    await sandbox.json(['source', 'add', 'wiki', more, '--set', 'watch.enabled=false']);
    daemon.process.kill('SIGTERM');
    await daemon.ended;
    await sandbox.configure({ name: 'wiki', id: 'app' });
    await sandbox.start();
    const status = await sandbox.json(['status']);
    expect(status['warnings']).toMatchObject([{ code: 'CHANGE_SET_ASIDE', sourceId: 'wiki' }]);
    expect(status['sources'].map(({ id }: { id: string }) => id)).toEqual(['app']);
    await sandbox.json(['source', 'remove', 'wiki', '--yes']);
    expect((await sandbox.json(['status']))['warnings']).toEqual([]);
  });

  it('F55, F59: what no rule captures is told, by the settings of that moment, with and without a daemon', async () => {
    const daemon = await sandbox.start();
    await mkdir(join(sandbox.data, 'out'));
    await writeFile(join(sandbox.data, 'out/lost'), 'x');
    await sandbox.json(['source', 'update', 'app', 'exclude=["data/out/**"]']);
    const expected = {
      notCaptured: { files: 1 },
      items: [{ path: 'data/out/lost', reason: 'excluded' }],
    };
    const { result: online } = await jobResult('coverage', 'app');
    expect(online).toMatchObject(expected);
    daemon.process.kill('SIGTERM');
    await daemon.ended;
    const offline = await sandbox.run(['source', 'coverage', 'app']);
    expect(offline.stdout).toContain('Not captured (excluded): 1 file');
  });

  async function jobResult(verb: string, source: string) {
    const client = await sandbox.client();
    const job = await sandbox.json(['source', verb, source]);
    return client.call('job.get', { id: job['id'] });
  }
});

describe('F08: secrets', () => {
  it('F08, F56, F-15: are set from stdin, tell one key from another, and are in no answer, log, job, event, error or other file', async () => {
    const value = 'hunter2-hunter2-hunter2';
    const daemon = await sandbox.start();
    const setting = spawn(process.execPath, [holdfastBin, 'secret', 'set', 'token'], {
      env: sandbox.environment,
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    setting.stdin!.end(`${value}\n`);
    expect((await once(setting, 'exit'))[0]).toBe(0);
    const client = await sandbox.client();
    await client.call('source.update', {
      sourceId: 'app',
      patch: { keys: [{ name: 'token', secret: 'token' }] },
    });
    const database = new Database(join(sandbox.data, 'app.db'));
    database.exec('CREATE TABLE t (x)');
    database.close();
    const { snapshotId } = await sandbox.json(['backup']);
    await expect(
      client.call('secret.set', { name: 'no such name!', value }),
    ).rejects.not.toMatchObject({ message: expect.stringContaining(value) });
    const answers = await Promise.all([
      client.call('secret.list', {}),
      client.call('settings.get', {}),
      client.call('job.list', {}),
      client.call('snapshot.get', { id: snapshotId }),
      client.call('daemon.status', {}),
      client.call('health.report', {}),
    ]);
    expect(answers[0]).toMatchObject({ items: [{ name: 'token' }] });
    expect(JSON.stringify([answers, daemon.log])).not.toContain(value);
    const encoded = Buffer.from(value).toString('base64');
    for (const path of await filesBelow(sandbox.root)) {
      if (path === join(sandbox.state, 'secrets.json')) continue;
      const content = await readFile(path, 'latin1').catch(() => '');
      expect(content.includes(value) || content.includes(encoded), path).toBe(false);
    }
    await client.call('secret.set', { name: 'token', value: 'another key altogether' });
    const to = join(sandbox.root, 'restored');
    const restored = await sandbox.json(['restore', snapshotId, '--to', to], 3);
    const logs = await sandbox.run(['job', 'logs', restored['id']]);
    expect(logs.stdout).toContain('the key token is another');
    await sandbox.json(['secret', 'clear', 'token']);
    expect(await sandbox.json(['secret'])).toMatchObject({ items: [] });
  });
});

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
