import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { snapshot } from './support/jobs.ts';
import { Sandbox, stopChild } from './support/sandbox.ts';
import { filesIn } from './support/tree.ts';

/** Promise: an application never starts on a corrupt database; recovery loses least and touches nothing else. */

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
});
afterEach(() => sandbox.dispose());

const ROWS = 5000;

function makeDatabase(path: string): void {
  const database = new Database(path);
  database.pragma('journal_mode = WAL');
  database.exec(`
    CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL);
    CREATE INDEX notes_title ON notes (title);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
    INSERT INTO notes SELECT i, 'title ' || (i * 7919 % ${ROWS}), 'body ' || i || ' ' || hex(zeroblob(100)) FROM n;
  `);
  database.close();
}

/** A page that belongs to the b-tree `name` and is not its root. */
function pageOf(path: string, name: string): { offset: number; bytes: number } {
  const database = new Database(path, { readonly: true });
  const bytes = database.pragma('page_size', { simple: true }) as number;
  const root = database
    .prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?')
    .pluck()
    .get(name) as number;
  database.close();
  // An interior root: its first cell's left child is page `child` (file format, b-tree page header).
  const content = readFileSync(path);
  const header = (root - 1) * bytes;
  const firstCell = content.readUInt16BE(header + 12);
  const child = content.readUInt32BE(header + firstCell);
  return { offset: (child - 1) * bytes, bytes };
}

function zeroPage(path: string, name: string): void {
  const { offset, bytes } = pageOf(path, name);
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(bytes), 0, bytes, offset);
  closeSync(file);
}

function rowsOf(path: string): { integrity: unknown; rows: unknown } {
  const database = new Database(path, { readonly: true, fileMustExist: true });
  try {
    return {
      integrity: database.pragma('integrity_check', { simple: true }),
      rows: database.prepare('SELECT count(*) FROM notes').pluck().get(),
    };
  } finally {
    database.close();
  }
}

/** A first life of the daemon: one snapshot of whatever is in the data directory. */
async function protect(): Promise<Record<string, any>> {
  const daemon = await sandbox.start();
  const result = await snapshot(await sandbox.client());
  await stopChild(daemon.process, 'SIGTERM');
  return result;
}

describe('boot after damage', () => {
  it('F32, F34, Z-27, Z-D8, Z-D14: recovers the damaged database alone; its family lies in quarantine; the report says so', async () => {
    const damaged = join(sandbox.data, 'damaged.db');
    const healthy = join(sandbox.data, 'healthy.db');
    makeDatabase(damaged);
    makeDatabase(healthy);
    await protect();
    zeroPage(damaged, 'notes');
    const damagedBytes = readFileSync(damaged);
    const healthyBytes = readFileSync(healthy);

    await sandbox.start();
    expect((await readdir(sandbox.data)).sort()).toEqual(['damaged.db', 'healthy.db']);
    expect(rowsOf(damaged)).toEqual({ integrity: 'ok', rows: ROWS });
    expect(readFileSync(healthy).equals(healthyBytes)).toBe(true);

    const client = await sandbox.client();
    const { items: quarantined } = await client.call('recovery.quarantineList', {});
    expect(quarantined).toHaveLength(1);
    const kept = filesIn(join(sandbox.state, 'quarantine')).filter((name) =>
      name.endsWith('damaged.db'),
    );
    expect(kept).toHaveLength(1);
    expect(readFileSync(join(sandbox.state, 'quarantine', kept[0]!)).equals(damagedBytes)).toBe(
      true,
    );

    const { items: reports } = await client.call('recovery.reports', {});
    expect(reports).toHaveLength(1);
    const report = await client.call('recovery.get', { id: reports[0]!.id });
    expect(report).toMatchObject({ database: damaged, state: 'recovered' });
    expect(report).toMatchObject({ rung: 'heal', snapshot: { id: expect.any(String) } });
  });

  it('Z-92: repairs an index without losing a row that was written after the snapshot', async () => {
    const path = join(sandbox.data, 'app.db');
    makeDatabase(path);
    await protect();
    const database = new Database(path);
    database.exec("INSERT INTO notes (title, body) VALUES ('late', 'after the snapshot')");
    database.close();
    zeroPage(path, 'notes_title');
    await sandbox.start();
    expect(rowsOf(path)).toEqual({ integrity: 'ok', rows: ROWS + 1 });
  });

  it('Z-D9, Z-D33: leaves a file that nothing can repair as it is, and says that it needs its operator', async () => {
    const path = join(sandbox.data, 'app.db');
    makeDatabase(path);
    zeroPage(path, 'notes');
    // The only snapshot is of the damaged state: evidence, never a source of recovery.
    await sandbox.configure({ recovery: { onBoot: 'off' } });
    expect((await protect())['good']).toBe(false);
    const bytes = readFileSync(path);
    await sandbox.configure();
    await sandbox.start();
    expect(readFileSync(path).equals(bytes)).toBe(true);
    const status = await (await sandbox.client()).call('daemon.status', {});
    expect(JSON.stringify(status)).toContain('needs-operator');
    const gate = await sandbox.run(['recover', '--if-needed']);
    expect(gate.exitCode).toBe(1);
  });

  it('Z-89: calls a locked database busy, not corrupt', async () => {
    const path = join(sandbox.data, 'app.db');
    const database = new Database(path);
    database.exec('CREATE TABLE notes (body)');
    await protect();
    database.exec('BEGIN EXCLUSIVE; INSERT INTO notes VALUES (1)');
    await sandbox.start();
    const client = await sandbox.client();
    expect((await client.call('recovery.reports', {})).items).toEqual([]);
    expect((await client.call('recovery.quarantineList', {})).items).toEqual([]);
    database.exec('COMMIT');
    database.close();
    expect(rowsOf(path)).toEqual({ integrity: 'ok', rows: 1 });
  });

  it('reports an older copy put in place, leaves it, and takes no snapshot of it until a person does', async () => {
    await sandbox.configure({
      watch: { enabled: true, quietMs: '200ms', minGapMs: '200ms', pollMs: '300ms' },
    });
    const path = join(sandbox.data, 'app.db');
    makeDatabase(path);
    const older = readFileSync(path);
    // Enough for new pages: in WAL mode a commit that adds none leaves no trace in the header.
    const database = new Database(path);
    database.exec("INSERT INTO notes (title, body) SELECT 'late', body FROM notes LIMIT 500");
    database.close();
    const first = await sandbox.start();
    await first.logged('snapshot taken');
    await stopChild(first.process, 'SIGTERM');
    writeFileSync(path, older);
    expect((await sandbox.run(['recover', '--if-needed'])).exitCode).toBe(1);

    const daemon = await sandbox.start();
    const client = await sandbox.client();
    const status = await client.call('daemon.status', {});
    expect(status.sources[0]).toMatchObject({ needsOperator: true });
    expect(status.sources[0]!.databases[0]).toMatchObject({ path, state: 'regressed' });
    expect(status.warnings.map(({ code }) => code)).toContain('HELD_BACK');
    // The change is seen, a snapshot asked for, and refused.
    await daemon.logged('cannot ask for a snapshot');
    expect((await client.call('snapshot.list', {})).items).toHaveLength(1);
    expect(readFileSync(path).equals(older)).toBe(true);

    await snapshot(client);
    expect((await client.call('daemon.status', {})).warnings).toEqual([]);
    expect((await sandbox.run(['recover', '--if-needed'])).exitCode).toBe(0);
  });

  it('Z-67: is done by the gate as well while no daemon runs', async () => {
    const path = join(sandbox.data, 'app.db');
    makeDatabase(path);
    await protect();
    zeroPage(path, 'notes');
    const gate = await sandbox.run(['recover', '--if-needed']);
    expect({ exitCode: gate.exitCode, stderr: gate.stderr }).toMatchObject({ exitCode: 0 });
    expect(rowsOf(path)).toEqual({ integrity: 'ok', rows: ROWS });
    // Nothing is left to do: the second run changes nothing.
    const bytes = readFileSync(path);
    expect((await sandbox.run(['recover', '--if-needed'])).exitCode).toBe(0);
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });
});
