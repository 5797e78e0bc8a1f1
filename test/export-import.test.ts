import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BANK_TOTAL, readBank } from './support/bank.ts';
import { finished } from './support/jobs.ts';
import { holdfastBin, Sandbox, stopChild } from './support/sandbox.ts';
import { treeHashes } from './support/tree.ts';

/** Promise: data leaves in forms that the world understands, and comes back, whole or not at all. */

let sandbox: Sandbox;
let out: string;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
  out = join(sandbox.root, 'out');
  mkdirSync(out);
});
afterEach(() => sandbox.dispose());

const hasProgram = (name: string): boolean => {
  try {
    execFileSync('sh', ['-c', `command -v ${name}`]);
    return true;
  } catch {
    return false;
  }
};

/** A line of the shell, with `holdfast` in it. */
function shell(line: string, environment: NodeJS.ProcessEnv = {}) {
  return new Promise<{ stdout: string; stderr: string; exitCode: number }>((resolve) => {
    const script = `holdfast() { "${process.execPath}" "${holdfastBin}" "$@"; }; set -o pipefail; ${line}`;
    const env = { ...sandbox.environment, ...environment };
    execFile(
      'bash',
      ['-c', script],
      { env, cwd: out, maxBuffer: 1 << 28 },
      (error, stdout, stderr) => {
        resolve({ stdout, stderr, exitCode: error === null ? 0 : Number(error.code ?? -1) });
      },
    );
  });
}

/** A small database at rest; `rows` tell its states apart. */
function makeNotes(rows: number): void {
  const database = new Database(join(sandbox.data, 'app.db'));
  database.pragma('journal_mode = WAL');
  database.exec(`
    CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, body TEXT);
    DELETE FROM notes;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
    INSERT INTO notes SELECT i, hex(randomblob(200)) FROM n;
  `);
  database.close();
}

function countNotes(path = join(sandbox.data, 'app.db')): unknown {
  const database = new Database(path, { fileMustExist: true });
  try {
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
    return database.prepare('SELECT count(*) FROM notes').pluck().get();
  } finally {
    database.close();
  }
}

/** Neither staging nor scratch of a job that ended, nor a way to stdout. */
function expectNothingLeft(): void {
  for (const name of ['scratch', 'staging']) {
    const directory = join(sandbox.state, name);
    expect(existsSync(directory) ? readdirSync(directory) : []).toEqual([]);
  }
  const run = join(sandbox.root, 'run');
  const sockets = existsSync(run) ? readdirSync(run) : [];
  expect(sockets.filter((name) => name.startsWith('export-'))).toEqual([]);
}

describe('a database that another process keeps writing', () => {
  it('F22, F17, T-15: leaves in every format as of one moment, other programs read it, and each comes back', async () => {
    const application = await sandbox.startBank(join(sandbox.data, 'app.db'), 'wal', 11);
    writeFileSync(join(sandbox.data, 'note.txt'), 'hello');
    await sandbox.start();
    const taken = await sandbox.json([
      'export',
      '--source',
      'app',
      '--now',
      '--to',
      join(out, 'app.db'),
    ]);
    expect(taken['stats']).toMatchObject({ format: 'db', verified: true, database: 'data/app.db' });
    const { snapshotId, capturedAt } = taken['stats'];
    expect(capturedAt).toBeDefined();
    for (const format of ['sql', 'jsonl', 'tar', 'tar.gz', 'zip']) {
      const to = join(out, `app.${format}`);
      const { stats } = await sandbox.json(['export', snapshotId, '--to', to]);
      expect(stats).toMatchObject({ format, snapshotId, bytes: statSync(to).size });
    }
    const { transfers } = readBank(join(out, 'app.db'));

    const text = await shell(
      'sqlite3 shell.db < app.sql && sqlite3 shell.db "SELECT sum(balance) FROM accounts"',
    );
    expect(text.stdout.trim()).toBe(String(BANK_TOTAL));
    const names = await shell('tar tf app.tar.gz');
    expect(names.stdout.trim().split('\n').sort()).toEqual([
      'data/',
      'data/app.db',
      'data/note.txt',
    ]);
    for (const format of ['sql', 'jsonl', 'db']) {
      const to = join(out, `${format}.db`);
      await sandbox.json(['import', join(out, `app.${format}`), '--to', to]);
      expect(readBank(to)).toEqual({ integrity: 'ok', total: BANK_TOTAL, transfers });
    }
    for (const format of ['tar', 'tar.gz', 'zip']) {
      const to = join(out, `tree-${format}`);
      await sandbox.json(['import', join(out, `app.${format}`), '--to', to]);
      expect(readBank(join(to, 'data/app.db'))).toEqual({
        integrity: 'ok',
        total: BANK_TOTAL,
        transfers,
      });
      expect(readFileSync(join(to, 'data/note.txt'), 'utf8')).toBe('hello');
    }
    await stopChild(application, 'SIGTERM');
    expectNothingLeft();
  });

  it('F17: takes rows while it is in use, with --live; what replaces all of it waits until it is free', async () => {
    const path = join(sandbox.data, 'app.db');
    const application = await sandbox.startBank(path, 'wal', 12);
    await sandbox.start();
    await sandbox.json(['backup']);
    const rows = join(out, 'accounts.jsonl');
    await sandbox.json(['export', 'latest', '--table', 'accounts', '--to', rows]);
    const importRows = ['import', rows, '--source', 'app', '--yes'];
    const busy = await sandbox.json([...importRows, '--mode', 'replace'], 11);
    expect(busy['error']).toMatchObject({ code: 'TARGET_BUSY' });
    // Rows that are there stay, so that what the application makes of them still adds up.
    const live = await sandbox.json([...importRows, '--mode', 'insert-ignore', '--live']);
    expect(live['stats']).toMatchObject({ live: true, rowsRead: 100, inserted: 0, ignored: 100 });
    expect(live['stats'].preRestoreSnapshotId).not.toBeNull();
    await stopChild(application, 'SIGTERM');
    expect(readBank(path)).toMatchObject({ integrity: 'ok', total: BANK_TOTAL });
    const replaced = await sandbox.json([...importRows, '--mode', 'replace']);
    expect(replaced['stats']).toMatchObject({ inserted: 100, live: false });
    expect(replaced['stats'].quarantineId).not.toBeNull();
    expect(readBank(path).integrity).toBe('ok');
    expectNothingLeft();
  });
});

describe('stdout', () => {
  it.each([true, false])(
    'F22: holds the data and nothing else, at any size; a reader that leaves is no failure (daemon: %s)',
    async (daemon) => {
      makeNotes(20_000);
      writeFileSync(join(sandbox.data, 'big'), Buffer.alloc(16 << 20, 5));
      if (daemon) await sandbox.start();
      await sandbox.json(['backup']);
      const sql = await shell('holdfast export latest --format sql --to - | sqlite3 piped.db');
      expect(sql.exitCode).toBe(0);
      expect(countNotes(join(out, 'piped.db'))).toBe(20_000);
      const tar = await shell(
        'holdfast export latest --format tar --to - | tar xf - -O data/big | wc -c',
      );
      expect(tar.stdout.trim()).toBe(String(16 << 20));
      const head = await shell(
        'holdfast export latest --format tar --to - | head -c 100 | wc -c; echo $PIPESTATUS',
      );
      expect(head.stdout.trim().split('\n')).toEqual(['100', '0']);
      if (daemon) {
        const client = await sandbox.client();
        const { items } = await client.call('job.list', { kind: 'export', limit: 1 });
        expect(await finished(client, items[0]!.id)).toMatchObject({ status: 'cancelled' });
      }
      const missing = await sandbox.run([
        'export',
        'latest',
        '--format',
        'db',
        '--database',
        'data/x.db',
        '--to',
        '-',
      ]);
      expect(missing).toMatchObject({ exitCode: 10, stdout: '' });
      expectNothingLeft();
    },
  );

  it.skipIf(!hasProgram('jq'))('F17: JSON lines are what jq reads', async () => {
    makeNotes(7);
    await sandbox.json(['backup']);
    const line =
      'holdfast export latest --table notes --plain --format jsonl --to - | jq -s "map(.id) | add"';
    expect((await shell(line)).stdout.trim()).toBe('28');
  });
});

describe('a file that Holdfast never protected', () => {
  it('F22, C-D14: is exported and made anew without configuration, daemon or repository', async () => {
    makeNotes(30);
    const environment = {
      HOLDFAST_CONFIG: '',
      HOME: sandbox.root,
      XDG_STATE_HOME: join(sandbox.root, 'none'),
    };
    const before = treeHashes(sandbox.data);
    for (const format of ['db', 'sql', 'jsonl']) {
      const line = `holdfast export --file ../data/app.db --to live.${format}`;
      expect(await shell(line, environment)).toMatchObject({ exitCode: 0 });
    }
    expect(
      (
        await shell(
          'holdfast export --file ../data/app.db --format sql --to - | sqlite3 x.db',
          environment,
        )
      ).exitCode,
    ).toBe(0);
    expect((await shell('holdfast import live.sql --to y.db', environment)).exitCode).toBe(0);
    expect(countNotes(join(out, 'x.db'))).toBe(30);
    expect(countNotes(join(out, 'y.db'))).toBe(30);
    expect(treeHashes(sandbox.data)).toEqual(before);
    expect(readdirSync(out).sort()).toEqual(['live.db', 'live.jsonl', 'live.sql', 'x.db', 'y.db']);
    expect(readdirSync(sandbox.root).sort()).toEqual(['data', 'holdfast.json', 'out']);
  });
});

describe('bringing it back', () => {
  it.each([true, false])(
    'F22, C-02: an archive and a dump restore the source, and keep what they replace (daemon: %s)',
    async (daemon) => {
      makeNotes(10);
      writeFileSync(join(sandbox.data, 'a.txt'), 'first');
      const before = treeHashes(sandbox.data);
      if (daemon) await sandbox.start();
      await sandbox.json(['backup']);
      await sandbox.json(['export', 'latest', '--to', join(out, 'all.zip')]);
      await sandbox.json(['export', 'latest', '--to', join(out, 'app.sql')]);
      makeNotes(3);
      writeFileSync(join(sandbox.data, 'a.txt'), 'second');
      const archive = ['import', join(out, 'all.zip'), '--source', 'app'];
      const asked = await sandbox.run([...archive, '--in-place']);
      expect(asked.exitCode).toBe(2);
      expect(countNotes()).toBe(3);
      const { stats } = await sandbox.json([...archive, '--in-place', '--yes']);
      expect(stats.preRestoreSnapshotId).not.toBeNull();
      expect(treeHashes(sandbox.data)).toEqual(before);
      const imported = (await sandbox.json(['snapshots', '--origin', 'import']))['items'];
      expect(imported).toMatchObject([{ origin: 'import', reason: 'import of all.zip' }]);
      makeNotes(4);
      const dump = ['import', join(out, 'app.sql'), '--source', 'app'];
      expect((await sandbox.json([...dump, '--dry-run']))['stats']).toMatchObject({ dryRun: true });
      expect(countNotes()).toBe(4);
      expect((await sandbox.json([...dump, '--yes']))['stats'].quarantineId).not.toBeNull();
      expect(countNotes()).toBe(10);
      expect((await sandbox.json(['show', 'latest']))['origin']).toBe('manual');
      expectNothingLeft();
    },
  );

  it('over the socket needs the name of the source, and an absolute path', async () => {
    makeNotes(2);
    await sandbox.start();
    const client = await sandbox.client();
    const from = join(out, 'x.sql');
    writeFileSync(from, 'CREATE TABLE notes (id);');
    const params = { sourceId: 'app', database: 'data/app.db', from };
    for (const call of [
      client.call('database.import', params),
      client.call('table.import', { ...params, mode: 'replace', confirm: 'other' }),
    ]) {
      await expect(call).rejects.toMatchObject({ code: 'CONFIRMATION_REQUIRED' });
    }
    await expect(
      client.call('table.export', { sourceId: 'app', to: 'x.jsonl', all: true }),
    ).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
    expect(countNotes()).toBe(2);
  });
});

describe('SIGKILL', () => {
  /** Ends the worker of a command at its n-th durable step, for steps until the command goes through. */
  async function killAtSteps(
    args: readonly string[],
    stride: number,
    look: (ended: boolean) => Promise<void>,
  ): Promise<number> {
    for (let step = 1, kills = 0; ; step += stride) {
      const environment = { HOLDFAST_TEST_KILL_AT_STEP: `after:${step}` };
      const { exitCode } = await sandbox.run(args, environment);
      await look(exitCode === 0);
      if (exitCode === 0) return kills;
      kills += 1;
    }
  }

  it('F22: during an export leaves no file, or the whole one; what it left is gone with the next command', async () => {
    makeNotes(500);
    await sandbox.json(['backup']);
    const to = join(out, 'app.sql');
    const kills = await killAtSteps(
      ['export', 'latest', '--to', to, '--overwrite'],
      4,
      async () => {
        if (existsSync(to)) {
          const { stdout } = await shell(
            'sqlite3 :memory: ".read app.sql" "SELECT count(*) FROM notes"',
          );
          expect(stdout.trim()).toBe('500');
        }
        expect(readdirSync(out).filter((name) => name !== 'app.sql')).toEqual([]);
      },
    );
    expect(kills).toBeGreaterThan(2);
    await sandbox.run(['verify']);
    expectNothingLeft();
  });

  it('C-02: during an import leaves the old database or the new one', async () => {
    makeNotes(500);
    await sandbox.json(['backup']);
    await sandbox.json(['export', 'latest', '--to', join(out, 'app.sql')]);
    makeNotes(3);
    const args = ['import', join(out, 'app.sql'), '--source', 'app', '--yes', '--no-checkpoint'];
    const kills = await killAtSteps(args, 7, async (ended) => {
      if (!ended) await sandbox.run(['recover', '--if-needed']);
      expect([3, 500]).toContain(countNotes());
      if (!ended) makeNotes(3);
    });
    expect(kills).toBeGreaterThan(3);
    expect(countNotes()).toBe(500);
    expectNothingLeft();
  });

  it('F22: of the worker of a daemon: the daemon removes what it left', async () => {
    makeNotes(60_000);
    await sandbox.start();
    await sandbox.json(['backup']);
    const client = await sandbox.client();
    const to = join(out, 'app.sql');
    const { job } = await client.call('snapshot.export', {
      snapshotId: 'latest',
      format: 'sql',
      to,
    });
    for (;;) {
      const { workerPid, progress } = await client.call('job.get', { id: job.id });
      if (workerPid === null || progress?.phase === undefined) continue;
      process.kill(workerPid, 'SIGKILL');
      break;
    }
    expect(await finished(client, job.id)).toMatchObject({ status: 'failed' });
    for (let done = false; !done; ) {
      const { items } = await client.call('job.list', { kind: 'reconcile' });
      const clean = items.find(({ params }) => params['afterJob'] === job.id);
      done = clean !== undefined && (await finished(client, clean.id)).status === 'succeeded';
    }
    expect(readdirSync(out)).toEqual([]);
    expectNothingLeft();
  });
});

// A real full file system needs a mount, and that needs root.
describe.skipIf(process.getuid?.() !== 0)('a full disk (needs root, to mount one)', () => {
  let small: string;
  beforeEach(() => {
    small = join(sandbox.root, 'small');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', small]);
  });
  afterEach(() => execFileSync('umount', ['-l', small]));

  it('F22: ends an export, and an import, with NO_SPACE and leaves nothing', async () => {
    makeNotes(10_000);
    await sandbox.json(['backup']);
    for (const format of ['db', 'sql', 'jsonl', 'tar', 'zip']) {
      const failed = await sandbox.json(
        ['export', 'latest', '--to', join(small, `x.${format}`)],
        1,
      );
      expect(failed['error'], format).toMatchObject({ code: 'NO_SPACE' });
      expect(readdirSync(small), format).toEqual([]);
    }
    await sandbox.json(['export', 'latest', '--to', join(out, 'app.sql')]);
    const failed = await sandbox.json(
      ['import', join(out, 'app.sql'), '--to', join(small, 'x.db')],
      1,
    );
    expect(failed['error']).toMatchObject({ code: 'NO_SPACE' });
    expect(readdirSync(small)).toEqual([]);
  });
});
