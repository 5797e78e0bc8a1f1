import { join } from 'node:path';
import type Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { openPageSource } from '../format/page-source.ts';
import { freshDirectory, removeDirectory } from '../testing/directories.ts';
import { Claims } from './claims.ts';
import { ANY_SCHEMA, anyLayout, anyRow, fillWith } from './testing/any-rows.ts';
import { createDatabase } from './testing/layout.ts';
import { selectTables } from './testing/stored-rows.ts';
import { accountForPages, walkIndexes, walkSelected } from './testing/walk-all.ts';

/** Compares everything that the walk reads with everything that SQLite reads. */
function expectSameAsSelected(path: string, db: Database.Database, schemaFormat: number): void {
  const source = openPageSource(path);
  try {
    expect(source.header?.schemaFormat).toBe(schemaFormat);
    const claims = new Claims();
    const indexes = walkIndexes(source, db, claims, schemaFormat);
    for (const table of selectTables(db)) {
      const { rows, faults } = walkSelected(source, table, claims, schemaFormat);
      expect(faults, table.name).toEqual([]);
      expect(rows, table.name).toEqual(table.rows);
    }
    for (const [name, events] of indexes) {
      const unsound = events.filter(
        (event) => event.type !== 'leaf' && (event.type !== 'row' || event.displaced),
      );
      expect(unsound, name).toEqual([]);
    }
    const counts = accountForPages(source, claims);
    expect(counts.filter((count) => count !== 1)).toEqual([]);
  } finally {
    source.close();
  }
}

const directory = freshDirectory();
afterAll(() => removeDirectory(directory));

describe('walks of sound databases', () => {
  it('read exactly the rows that SELECT reads, in every layout, and account for each page once', () => {
    let run = 0;
    fc.assert(
      fc.property(
        anyLayout,
        fc.array(anyRow, { maxLength: 60 }),
        fc.boolean(),
        (chosen, rows, thin) => {
          const path = join(directory, `${++run}.db`);
          const db = createDatabase(path, chosen);
          try {
            db.exec(ANY_SCHEMA);
            db.exec(
              "INSERT INTO words VALUES ('the quick brown fox'), ('jumps over the lazy dog')",
            );
            db.transaction(fillWith)(db, rows);
            if (thin)
              db.exec('DELETE FROM keyed WHERE rowid % 3 = 0; DELETE FROM plain WHERE rowid % 2');
            expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
            expectSameAsSelected(path, db, chosen.schemaFormat);
          } finally {
            db.close();
          }
        },
      ),
      { numRuns: 40 },
    );
  });
});
