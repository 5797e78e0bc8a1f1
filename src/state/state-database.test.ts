import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { DAMAGED_SETS_KEPT } from './damaged-state.ts';
import { FlagRecords } from './flag-records.ts';
import { openState, type StateDatabase } from './state-database.ts';
import { STATE_MIGRATIONS, schemaVersion } from './state-migrations.ts';

let directory: string;
let path: string;
const opened: StateDatabase[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-state-'));
  path = join(directory, 'state.db');
});
afterEach(async () => {
  for (const state of opened.splice(0)) state.close();
  await rm(directory, { recursive: true, force: true });
});

async function openHere(migrations = STATE_MIGRATIONS): Promise<StateDatabase> {
  const state = await openState(path, { clock: systemClock, migrations });
  opened.push(state);
  return state;
}

/** A state.db with one flag and many pages, closed. */
async function written(): Promise<void> {
  const state = await openHere();
  const flags = new FlagRecords(state);
  flags.set('kept', { since: 'before' });
  for (let index = 0; index < 40; index += 1) flags.set(`filler ${index}`, 'x'.repeat(2_000));
  state.close();
}

const bytesOf = (name: string): Promise<Buffer> => readFile(join(directory, name));

describe('openState()', () => {
  it('Z-D34: creates a private file in a private directory, and finds it again', async () => {
    path = join(directory, 'deep', 'er', 'state.db');
    const state = await openHere();
    new FlagRecords(state).set('key', [1, null, 'x']);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(directory, 'deep'))).mode & 0o777).toBe(0o700);
    state.close();
    const again = await openHere();
    expect(again.rebuiltFrom).toBeNull();
    expect(new FlagRecords(again).get('key')).toEqual([1, null, 'x']);
  });

  it('syncs every commit', async () => {
    const { connection } = await openHere();
    expect(connection.pragma('synchronous', { simple: true })).toBe(2);
    expect(connection.pragma('foreign_keys', { simple: true })).toBe(1);
  });

  it('a transaction that throws leaves nothing', async () => {
    const state = await openHere();
    const flags = new FlagRecords(state);
    expect(() =>
      state.transaction(() => {
        flags.set('half', true);
        throw new Error('no further');
      }),
    ).toThrow('no further');
    expect(flags.get('half')).toBeUndefined();
  });

  it('what was committed is there after SIGKILL', async () => {
    await written();
    const writer = spawn(
      process.execPath,
      [fileURLToPath(new URL('testing/endless-writer.mjs', import.meta.url)), path],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let committed = 0;
    for await (const chunk of writer.stdout) {
      committed = Number(String(chunk).trim().split('\n').at(-1));
      if (committed >= 50) break;
    }
    writer.kill('SIGKILL');
    if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit');
    const state = await openHere();
    expect(state.rebuiltFrom).toBeNull();
    expect(new FlagRecords(state).get('counter')).toBeGreaterThanOrEqual(committed);
  });
});

describe('a database that must not be touched', () => {
  async function refused(code: string): Promise<void> {
    const before = await bytesOf('state.db');
    await expect(openHere()).rejects.toMatchObject({ code });
    expect(await bytesOf('state.db')).toEqual(before);
    expect((await readdir(directory)).filter((name) => name.includes('damaged'))).toEqual([]);
  }

  it('of which the power left half of the very first transaction: is begun again, and nothing counts as damaged', async () => {
    const begun = join(directory, 'begun.db');
    const connection = new Database(begun);
    connection.pragma('cache_size = 1');
    connection.exec('BEGIN; CREATE TABLE rows (content)');
    const insert = connection.prepare('INSERT INTO rows VALUES (zeroblob(4000))');
    // Until pages are written before the transaction is over.
    while ((await stat(begun)).size < 20_000) insert.run();
    const bytes = await readFile(begun);
    bytes.fill(0, 0, 512);
    await writeFile(path, bytes);
    await writeFile(`${path}-journal`, await readFile(`${begun}-journal`));
    connection.close();
    const state = await openHere();
    expect(state.rebuiltFrom).toBeNull();
    expect(state.connection.pragma('quick_check', { simple: true })).toBe('ok');
  });

  it('written by a newer version: refused, unchanged', async () => {
    await written();
    const newer = new Database(path);
    newer.pragma('user_version = 99');
    newer.close();
    await refused('UNSUPPORTED_FORMAT');
  });

  it('of another program: refused, unchanged', async () => {
    const foreign = new Database(path);
    foreign.exec('CREATE TABLE customers (id INTEGER PRIMARY KEY)');
    foreign.close();
    await refused('UNSUPPORTED_FORMAT');
  });

  it('locked by another connection: BUSY, and never taken for damaged', async () => {
    await written();
    const holder = new Database(path);
    holder.pragma('locking_mode = EXCLUSIVE');
    holder.exec('BEGIN EXCLUSIVE');
    await expect(openHere()).rejects.toMatchObject({ code: 'BUSY', retryable: true });
    holder.exec('ROLLBACK');
    holder.close();
    expect(new FlagRecords(await openHere()).get('kept')).toEqual({ since: 'before' });
  });
});

describe('a damaged database is set aside, and a new one begun', () => {
  async function rebuilt(): Promise<string> {
    const damaged = await bytesOf('state.db');
    const state = await openHere();
    expect(state.rebuiltFrom).toMatch(/state\.db\.damaged-\d{4}-\d\d-\d\dT/);
    expect(await readFile(state.rebuiltFrom!)).toEqual(damaged);
    const flags = new FlagRecords(state);
    expect(flags.get('kept')).toBeUndefined();
    flags.set('works', true);
    expect(flags.get('works')).toBe(true);
    return state.rebuiltFrom!;
  }

  it('when it is no database at all, with its sidecars', async () => {
    await writeFile(path, 'this is no database, whatever its name says\n'.repeat(40));
    await writeFile(`${path}-journal`, 'an old journal');
    const kept = await rebuilt();
    expect(await readFile(`${kept}-journal`, 'utf8')).toBe('an old journal');
    expect(await readdir(directory)).not.toContain('state.db-journal');
  });

  it('when it was cut short', async () => {
    await written();
    await truncate(path, 3 * 4096);
    await rebuilt();
  });

  it('when its tables are gone', async () => {
    await written();
    const emptied = new Database(path);
    emptied.exec('DROP TABLE schedules');
    emptied.close();
    await rebuilt();
  });

  it('wherever bytes are overwritten: it opens, begins anew, or is refused; it always works after', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.nat(120), fc.nat(120_000)),
        fc.uint8Array({ minLength: 1, maxLength: 5_000, size: 'max' }),
        async (offset, garbage) => {
          for (const name of await readdir(directory)) await rm(join(directory, name));
          await written();
          const { size } = await stat(path);
          const handle = await open(path, 'r+');
          await handle.write(garbage, 0, garbage.length, offset % size);
          await handle.close();
          const state = await openHere().catch((error) => {
            // Garbage in the header may read as another program's or version's mark: then it is refused.
            expect(error.code).toBe('UNSUPPORTED_FORMAT');
            return null;
          });
          if (state === null) return;
          new FlagRecords(state).set('works', true);
          state.close();
        },
      ),
      { numRuns: 25 },
    );
  });

  it('and only the newest few are kept', async () => {
    for (let time = 0; time < DAMAGED_SETS_KEPT + 3; time += 1) {
      await writeFile(path, `damaged ${time}`.padEnd(200, '.'));
      (await openHere()).close();
    }
    const kept = (await readdir(directory)).filter((name) => name.includes('.damaged-')).sort();
    expect(kept).toHaveLength(DAMAGED_SETS_KEPT);
    expect((await bytesOf(kept.at(-1)!)).toString()).toContain(`damaged ${DAMAGED_SETS_KEPT + 2}`);
  });
});

describe('migrations', () => {
  const newest = STATE_MIGRATIONS.length;
  const second = { version: newest + 1, sql: 'ALTER TABLE flags ADD COLUMN note TEXT' };

  it('a step more keeps what is there', async () => {
    await written();
    const state = await openHere([...STATE_MIGRATIONS, second]);
    expect(schemaVersion(state.connection)).toBe(newest + 1);
    expect(new FlagRecords(state).get('kept')).toEqual({ since: 'before' });
    expect(state.rebuiltFrom).toBeNull();
  });

  it('a step that fails is undone whole, and the file stays usable by the older version', async () => {
    await written();
    const sql = 'CREATE TABLE half (x TEXT); SELECT no_such_function()';
    const broken = { version: newest + 2, sql };
    await expect(openHere([...STATE_MIGRATIONS, second, broken])).rejects.toThrow(
      'no_such_function',
    );
    const state = await openHere([...STATE_MIGRATIONS, second]);
    expect(schemaVersion(state.connection)).toBe(newest + 1);
    const tables = state.connection.prepare('SELECT name FROM sqlite_schema').pluck().all();
    expect(tables).not.toContain('half');
  });
});
