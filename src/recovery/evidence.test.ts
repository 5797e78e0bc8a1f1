import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { shareDoubt, type Weighed, weigh } from './evidence.ts';
import { addNotes, makeDatabase, query } from './testing/workbench.ts';

let directory: string;
const { signal } = new AbortController();

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-evidence-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function candidate(name: string, rows: number, doubtfulRows = 0): Weighed {
  const path = join(directory, `${name}.db`);
  makeDatabase(path, { rows });
  const score = { notKept: 0, missing: 0, resurrected: 0 };
  return { path, rows: null, doubtfulRows, score };
}

describe('candidates for a file of which nothing can be read', () => {
  it('lose what another one found beyond the snapshot, and what it has of the snapshot', () => {
    const [older, newer] = [candidate('older', 10), candidate('newer', 10)];
    query(newer.path, (database) => addNotes(database, 11, 13));
    query(newer.path, (database) => database.exec('DELETE FROM tags WHERE id = 1'));
    const snapshot = candidate('snapshot', 10).path;
    const tables = ['notes', 'tags', 'settings'];
    const of = (each: Weighed, witnesses: readonly Weighed[]) =>
      weigh(each, tables, witnesses, { snapshot, complete: true }, signal);
    expect(of(older, [older, newer])).toMatchObject({ notKept: 9, missing: 0 });
    expect(of(newer, [older, newer])).toMatchObject({ notKept: 0, missing: 1 });
    expect(of(newer, [newer])).toMatchObject({ notKept: 0, missing: 0 });
  });

  it('lose a newer version of a row that they have, not an older one', () => {
    const [stale, fresh] = [candidate('stale', 5), candidate('fresh', 5)];
    query(fresh.path, (database) => database.exec(`UPDATE notes SET body = 'new' WHERE id = 2`));
    const facts = { snapshot: candidate('snapshot', 5).path, complete: true };
    expect(weigh(stale, ['notes'], [stale, fresh], facts, signal).notKept).toBe(1);
    expect(weigh(fresh, ['notes'], [stale, fresh], facts, signal).notKept).toBe(0);
  });
});

it('rows in doubt are missing wherever there are not as many more', () => {
  const [doubtful, same, whole] = [
    candidate('doubtful', 5, 12),
    candidate('same', 5),
    candidate('whole', 9),
  ];
  const doubts = shareDoubt([doubtful, same, whole]);
  expect([doubtful, same, whole].map(({ path }) => doubts.get(path))).toEqual([12, 12, 0]);
});
