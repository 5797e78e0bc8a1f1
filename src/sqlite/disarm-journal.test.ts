import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { disarmJournal } from './disarm-journal.ts';
import { pinDatabases } from './pinned-read.ts';
import { makeHotFamily, nameSuperJournal, ROWS } from './testing/hot-journal.ts';

let directory: string;
const at = (name: string): string => join(directory, name);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-journal-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function rows(path: string): number {
  const database = new Database(path);
  const found = database.prepare('SELECT count(*) FROM rows').pluck().get() as number;
  database.close();
  return found;
}

describe('disarmJournal()', () => {
  it('SQLite itself deletes whatever file a journal names as its super-journal', () => {
    makeHotFamily(at('app.db'));
    writeFileSync(at('bystander'), 'precious');
    nameSuperJournal(at('app.db-journal'), at('bystander'));
    expect(rows(at('app.db'))).toBe(ROWS);
    // Should this ever change, the name need not be cut off any more.
    expect(existsSync(at('bystander'))).toBe(false);
  });

  it.each(['bystander', 'app.db-mj0123456789'])(
    'a journal that names %s is rolled back in the copy, and what it names stays',
    async (named) => {
      makeHotFamily(at('app.db'));
      const bystander = at(named);
      writeFileSync(bystander, 'precious');
      const before = readFileSync(bystander);
      nameSuperJournal(at('app.db-journal'), bystander);
      nameSuperJournal(at('app.db-journal'), bystander);
      await disarmJournal(at('app.db-journal'));
      expect(readFileSync(at('app.db-journal')).includes(bystander)).toBe(false);
      expect(rows(at('app.db'))).toBe(ROWS);
      expect(readFileSync(bystander)).toEqual(before);
    },
  );

  it('where the true super-journal is gone, the transaction has ended: nothing is put back', async () => {
    makeHotFamily(at('app.db'));
    const unjournalled = readFileSync(at('app.db'));
    nameSuperJournal(at('app.db-journal'), at('other.db-mj0A1B2C3D9'));
    await disarmJournal(at('app.db-journal'));
    expect(existsSync(at('app.db-journal'))).toBe(false);
    expect(readFileSync(at('app.db'))).toEqual(unjournalled);
  });

  it('leaves a journal without such a name as it is', async () => {
    makeHotFamily(at('app.db'));
    copyFileSync(at('app.db-journal'), at('before'));
    await disarmJournal(at('app.db-journal'));
    expect(readFileSync(at('app.db-journal'))).toEqual(readFileSync(at('before')));
    await disarmJournal(at('no such journal'));
  });
});

describe('pinDatabases()', () => {
  it.each(['rollback', 'wal'] as const)(
    'a hostile journal beside a database in %s mode: what it names stays, and so does the family',
    async (mode) => {
      makeHotFamily(at('app.db'), mode);
      writeFileSync(at('bystander'), 'precious');
      nameSuperJournal(at('app.db-journal'), at('bystander'));
      const before = ['app.db', 'app.db-journal'].map((name) => readFileSync(at(name)));
      const set = await pinDatabases([at('app.db')], {
        scratchDirectory: directory,
        timeoutMs: 1_000,
        clock: systemClock,
        signal: new AbortController().signal,
      });
      await set.close();
      expect(readFileSync(at('bystander'), 'utf8')).toBe('precious');
      expect(['app.db', 'app.db-journal'].map((name) => readFileSync(at(name)))).toEqual(before);
    },
  );
});
