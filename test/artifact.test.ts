import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TEMPORARY_NAME } from '../src/files/durable.ts';
import { KILL_AT_STEP_VARIABLE } from '../src/files/durable-steps.ts';
import { BANK_TOTAL, readBank } from './support/bank.ts';
import { Sandbox, stopChild } from './support/sandbox.ts';

/**
 * Promise: a new installation starts from an artifact that another has published, or it does not let its application start;
 * and nothing that is in use is ever replaced by one, unless somebody insists.
 */

let here: Sandbox;
let there: Sandbox;
let store: string;
beforeEach(async () => {
  here = new Sandbox();
  there = new Sandbox();
  store = join(here.root, 'store');
  await configure(here, {});
  await configure(there, { bootstrapRef: 'snapshots/latest' });
});
afterEach(async () => {
  await here.dispose();
  await there.dispose();
});

const COUNT = 'SELECT count(*) FROM transfers';

function configure(sandbox: Sandbox, artifact: object, source: object = {}): Promise<void> {
  const artifacts = [{ database: 'data/app.db', modelVersion: 1, cursorQuery: COUNT, ...artifact }];
  return sandbox.configure(
    { artifacts, ...source },
    { artifacts: { store: { type: 'file', path: store } } },
  );
}

/** The application lives on while it is published. Returns the bare reference. */
async function publish(): Promise<string> {
  const application = await here.startBank(join(here.data, 'app.db'), 'wal', 5);
  const published = await here.run(['artifact', 'publish', '--porcelain']);
  expect(published.exitCode, published.stderr).toBe(0);
  application.kill('SIGKILL');
  await once(application, 'exit');
  return published.stdout.trim();
}

const database = (sandbox: Sandbox): string => join(sandbox.data, 'app.db');

function expectBank(sandbox: Sandbox): void {
  expect(readBank(database(sandbox))).toMatchObject({ integrity: 'ok', total: BANK_TOTAL });
}

/** The names in the data directory and in staging, once nothing runs any more; the state's own half-written notes aside. */
function left(sandbox: Sandbox): string[] {
  const staging = join(sandbox.state, 'staging');
  const staged = existsSync(staging) ? readdirSync(staging) : [];
  return [...readdirSync(sandbox.data), ...staged.filter((name) => !TEMPORARY_NAME.test(name))];
}

describe('a published artifact', () => {
  it('C-10, C-17, C-18, C-21, C-D4, F18, F19: is what another installation boots from, before its application starts, and once only', async () => {
    const ref = await publish();
    expect(ref).toMatch(/^snapshots\/\d{8}-\d{6}-[0-9a-f]{12}\.snap$/);
    const { items } = await here.json(['artifact', 'list']);
    expect(items).toMatchObject([{ ref, aliases: ['snapshots/latest'], modelVersion: 1 }]);
    const daemon = await there.start();
    expectBank(there);
    const client = await there.client();
    const { transfers } = readBank(database(there));
    expect(items[0]['cursor']).toBe(String(transfers));
    const { items: jobs } = await client.call('job.list', { kind: 'bootstrap' });
    expect(jobs).toMatchObject([{ status: 'succeeded', actor: 'boot' }]);
    await stopChild(daemon.process, 'SIGTERM');
    expect(left(there)).toEqual(['app.db']);
    // The application has made it its own: the next start leaves it alone.
    const own = new Database(database(there));
    own.exec('DELETE FROM transfers');
    own.close();
    await there.start();
    expect(readBank(database(there)).transfers).toBe(0);
  });

  it('C-18, C-21: that is damaged or does not fit keeps the daemon from being ready, and the gate shut; nothing is put in place', async () => {
    const ref = await publish();
    const payload = join(store, ref);
    const whole = await readFile(payload);
    await appendFile(payload, 'x');
    const daemon = there.launch();
    await daemon.logged('not ready: databases cannot be bootstrapped');
    const client = await there.client();
    const status = await client.call('daemon.status', {});
    expect(status).toMatchObject({ ready: false, bootPhase: 'bootstrap' });
    expect(status.warnings).toMatchObject([{ code: 'BOOTSTRAP_FAILED', sourceId: 'app' }]);
    const gate = await there.run(['recover', '--if-needed']);
    expect(gate.exitCode).toBe(1);
    expect(gate.stderr).toContain('Cannot bootstrap "data/app.db of app"');
    await stopChild(daemon.process, 'SIGTERM');
    const alone = await there.run(['recover', '--if-needed']);
    expect(alone.exitCode).toBe(1);
    expect(alone.stderr).toContain('payload is longer');
    await writeFile(payload, whole);
    await configure(there, { bootstrapRef: 'snapshots/latest', modelVersion: 2 });
    const unfit = await there.run(['recover', '--if-needed']);
    expect(unfit.exitCode).toBe(1);
    expect(left(there)).toEqual([]);
    // Once it fits, the same gate makes the database, and opens.
    await configure(there, { bootstrapRef: 'snapshots/latest' });
    const opened = await there.run(['recover', '--if-needed']);
    expect(opened.exitCode, opened.stderr).toBe(0);
    expectBank(there);
    expect(left(there)).toEqual(['app.db']);
  });

  it('C-03, C-08, C-17, C-D9, F18: is imported into what is used by force alone, after a snapshot, by the command line with and without a daemon', async () => {
    const ref = await publish();
    const out = join(there.root, 'bank.snap');
    await mkdir(there.data, { recursive: true });
    const fetched = await there.run([
      'artifact',
      'fetch',
      'snapshots/latest',
      '--out',
      out,
      '--porcelain',
    ]);
    expect(fetched).toMatchObject({ exitCode: 0, stdout: `${ref}\n` });
    await there.json(['artifact', 'verify', out, '--source', 'app']);
    const own = new Database(database(there));
    own.exec("CREATE TABLE notes (body); INSERT INTO notes VALUES ('mine')");
    own.close();
    const live = readFileSync(database(there));
    await there.start();
    const refused = await there.json(['artifact', 'import', out], 1);
    expect(refused['error']).toMatchObject({ code: 'NOT_FRESH' });
    const unasked = await there.json(['artifact', 'import', out, '--force'], 2);
    expect(unasked['error']).toMatchObject({ code: 'CONFIRMATION_REQUIRED' });
    expect(readFileSync(database(there))).toEqual(live);
    const forced = await there.json(['artifact', 'import', out, '--force', '--yes']);
    expectBank(there);
    const kept = await there.json(['show', forced['stats']['preRestoreSnapshotId']]);
    expect(kept).toMatchObject({ origin: 'pre-restore' });
    await appendFile(out, 'x');
    const damaged = await there.json(['artifact', 'verify', out], 12);
    expect(damaged['error']).toMatchObject({ details: { gate: 'checksum' } });
  });

  it('C-D11, C-14: an import that is killed leaves the database absent or whole, and the next gate finishes the work', async () => {
    await publish();
    // Steps of the worker, spread over copy, build and swap.
    for (const step of [4, 13, 22]) {
      await rm(there.data, { recursive: true, force: true });
      await mkdir(there.data);
      await rm(there.repository, { recursive: true, force: true });
      const killed = await there.run(['artifact', 'import', '--ref', 'snapshots/latest'], {
        [KILL_AT_STEP_VARIABLE]: `after:${step}`,
      });
      if (existsSync(database(there))) expectBank(there);
      expect(killed.exitCode).toBe(1);
      const gate = await there.run(['recover', '--if-needed']);
      expect(gate.exitCode, gate.stderr).toBe(0);
      expectBank(there);
      expect(left(there)).toEqual(['app.db']);
    }
  });

  it('C-20: is published on a schedule, so that a bootstrap stays fresh', async () => {
    const schedules = [{ id: 'publish', kind: 'publish', trigger: '1s' }];
    await configure(here, {}, { schedules });
    const application = await here.startBank(database(here), 'wal', 5);
    await here.start();
    const client = await here.client();
    const subscription = await client.subscribe({ types: ['job.changed'] });
    for await (const event of subscription) {
      if (event.type !== 'job.changed' || event.job.kind !== 'publish') continue;
      expect(event.job.status).not.toBe('failed');
      if (event.job.status === 'succeeded') break;
    }
    application.kill('SIGKILL');
    const { items } = await client.call('artifact.list', {});
    expect(items[0]?.aliases).toEqual(['snapshots/latest']);
  });

  it('C-01, C-02, C-17, F18: is made of any file without daemon and repository, in every format', async () => {
    await rm(here.config);
    const application = await here.startBank(database(here), 'wal', 5);
    application.kill('SIGKILL');
    await once(application, 'exit');
    for (const format of ['sqlite-file', 'sqldump', 'jsonl-tables']) {
      const out = join(here.root, `bank.${format}`);
      const env = { HOLDFAST_CONFIG: there.config };
      const args = [
        'artifact',
        'export',
        '--file',
        database(here),
        '--format',
        format,
        '--out',
        out,
      ];
      const exported = await here.run([...args, '--porcelain'], env);
      expect(exported, exported.stderr).toMatchObject({ exitCode: 0, stdout: `${out}\n` });
      expect(existsSync(`${out}.manifest.json`)).toBe(true);
    }
    expect(existsSync(here.repository)).toBe(false);
  });
});
