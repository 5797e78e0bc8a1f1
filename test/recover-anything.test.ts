import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { snapshot } from './support/jobs.ts';
import { Sandbox, stopChild } from './support/sandbox.ts';

/** Promise: whoever has a damaged SQLite file gets the best of it, with snapshots or without; and never less unasked. */

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure({ recovery: { allowPartial: false } });
});
afterEach(() => sandbox.dispose());

const ROWS = 2000;

function makeDatabase(path: string): void {
  const database = new Database(path);
  database.exec(`
    CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL);
    CREATE INDEX notes_title ON notes (title);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
    INSERT INTO notes SELECT i, 'title ' || (i * 7919 % ${ROWS}), 'body ' || i || hex(zeroblob(50)) FROM n;
  `);
  database.close();
}

/** Zeroes the root page of a b-tree. */
function destroy(path: string, name: string): void {
  const database = new Database(path, { readonly: true });
  const bytes = database.pragma('page_size', { simple: true }) as number;
  const sql = 'SELECT rootpage FROM sqlite_schema WHERE name = ?';
  const root = database.prepare<[string], number>(sql).pluck().get(name)!;
  database.close();
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(bytes), 0, bytes, (root - 1) * bytes);
  closeSync(file);
}

function countOf(path: string): unknown {
  const database = new Database(path, { readonly: true, fileMustExist: true });
  try {
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
    return database.prepare('SELECT count(*) FROM notes').pluck().get();
  } finally {
    database.close();
  }
}

describe('recover --database PATH --to FILE', () => {
  it('serves people who never set Holdfast up, and leaves nothing but the file', async () => {
    const home = join(sandbox.root, 'home');
    mkdirSync(home);
    const lost = join(home, 'lost.db');
    makeDatabase(lost);
    destroy(lost, 'notes_title');
    const before = readFileSync(lost);
    const environment = {
      HOME: home,
      HOLDFAST_CONFIG: '',
      HOLDFAST_STATE: join(home, 'state'),
      HOLDFAST_SOCKET: join(home, 'none.sock'),
    };
    const saved = join(home, 'saved.db');
    const line = ['recover', '--database', lost, '--to', saved];

    const looked = await sandbox.run([...line, '--dry-run'], environment);
    expect(looked.exitCode, looked.stderr).toBe(0);
    expect(looked.stdout).toMatch(/CANDIDATE +ATTEMPT +NOT KEPT +MISSING +RESURRECTED +GATES/);
    expect(looked.stdout).toMatch(/reindex .* ok/);
    expect(readdirSync(home)).toEqual(['lost.db']);

    const written = await sandbox.run([...line, '--json'], environment);
    expect(written.exitCode, written.stderr).toBe(0);
    expect(JSON.parse(written.stdout)['stats']).toMatchObject({ rung: 'reindex', lostRows: 0 });
    expect(countOf(saved)).toBe(ROWS);
    expect(readFileSync(lost).equals(before)).toBe(true);
    expect(readdirSync(home).sort()).toEqual(['lost.db', 'saved.db']);

    const again = await sandbox.run(line, environment);
    expect(again.exitCode).toBe(2);
    expect(readdirSync(home).sort()).toEqual(['lost.db', 'saved.db']);
  });

  it('works beside the daemon, uses the snapshots there are, and keeps away from live data', async () => {
    const path = join(sandbox.data, 'app.db');
    makeDatabase(path);
    await sandbox.start();
    await snapshot(await sandbox.client());
    destroy(path, 'notes');
    const damaged = readFileSync(path);
    const saved = join(sandbox.root, 'saved.db');
    const beside = ['recover', '--database', path, '--to', join(sandbox.data, 'saved.db')];
    expect((await sandbox.json(beside, 2))['error']).toMatchObject({ code: 'PATH_UNSAFE' });
    const { exitCode, stderr } = await sandbox.run(['recover', '--database', path, '--to', saved]);
    expect([0, 3], stderr).toContain(exitCode);
    expect(countOf(saved)).toBe(ROWS);
    expect(readFileSync(path).equals(damaged)).toBe(true);
    expect(readdirSync(sandbox.data)).toEqual(['app.db']);
  });
});

describe('recovery policy', () => {
  it('Z-96: a repair that may lose rows waits for a person; the named command installs it', async () => {
    const path = join(sandbox.data, 'app.db');
    makeDatabase(path);
    const first = await sandbox.start();
    await snapshot(await sandbox.client());
    await stopChild(first.process, 'SIGTERM');
    const database = new Database(path);
    database.exec("INSERT INTO notes (title, body) VALUES ('late', 'in no snapshot')");
    database.close();
    destroy(path, 'notes');
    const damaged = readFileSync(path);

    expect((await sandbox.run(['recover', '--if-needed'])).exitCode).toBe(1);
    await sandbox.start();
    const client = await sandbox.client();
    expect((await client.call('source.list', {})).items[0]).toMatchObject({ needsOperator: true });
    expect(readFileSync(path).equals(damaged)).toBe(true);
    const { items } = await client.call('recovery.reports', {});
    expect(items).toHaveLength(1);
    const { refusal } = items[0]!;
    expect(refusal).toMatchObject({
      reason: expect.stringContaining('allowPartial'),
      command: `holdfast recover --database ${path} --accept-loss`,
    });

    const looked = await sandbox.run(['recover', '--database', path, '--dry-run']);
    expect(looked.stdout).toMatch(/roll-back .* ok/);
    expect(readFileSync(path).equals(damaged)).toBe(true);

    const accepted = await sandbox.json(refusal!.command.split(' ').slice(1));
    expect(accepted['stats']).toMatchObject({ ok: true, recovered: 1 });
    // The late row may or may not be had.
    expect([ROWS, ROWS + 1]).toContain(countOf(path));
    expect((await client.call('source.list', {})).items[0]).toMatchObject({ needsOperator: false });
  });
});
