import { join } from 'node:path';
import type Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { openPageSource } from '../format/page-source.ts';
import { freshDirectory, removeDirectory } from '../testing/directories.ts';
import { Claims } from './claims.ts';
import { compareKeys, type KeyColumn } from './compare-keys.ts';
import { readSchema } from './schema.ts';
import { createDatabase, USUAL_LAYOUT } from './testing/layout.ts';
import { walkIndex } from './walk-index.ts';

const directory = freshDirectory();
afterAll(() => removeDirectory(directory));

const collations = ['BINARY', 'NOCASE', 'RTRIM'] as const;

const value = fc.oneof(
  fc.constantFrom(null, 0, 1.5, 2n ** 63n - 1n, 2 ** 63, -Infinity),
  fc.constantFrom('', ' ', 'a', 'A', 'a ', 'B', 'b\0c', 'B\0D', 'é', 'É', '\u{1f600}', '\uffee'),
  fc.string({ unit: 'grapheme', maxLength: 4 }),
  fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
);

/** Bytes that are stored as text though they may be none: half surrogate pairs, odd lengths. */
const anyText = fc
  .array(fc.constantFrom(0, 0x20, 0x41, 0x61, 0xd8, 0xdc, 0xdf, 0xff), { maxLength: 7 })
  .map((bytes) => Buffer.from(bytes));

describe('compareKeys', () => {
  it('orders every index as SQLite did, whatever the collation, direction and encoding', () => {
    let run = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...collations),
        fc.boolean(),
        fc.constantFrom('UTF-8' as const, 'UTF-16le' as const, 'UTF-16be' as const),
        fc.array(value, { minLength: 20, maxLength: 60 }),
        fc.array(anyText, { maxLength: 60 }),
        (collation, descending, encoding, values, texts) => {
          const path = join(directory, `${++run}.db`);
          const db: Database.Database = createDatabase(path, { ...USUAL_LAYOUT, encoding });
          db.exec(
            `CREATE TABLE t(v); CREATE INDEX i ON t(v COLLATE ${collation} ${descending ? 'DESC' : 'ASC'})`,
          );
          const insert = db.prepare('INSERT INTO t VALUES (?)');
          db.transaction(() => values.forEach((each) => void insert.run(each)))();
          const insertText = db.prepare('INSERT INTO t VALUES (CAST(? AS TEXT))');
          for (const text of texts) insertText.run(text);
          db.close();
          const columns: KeyColumn[] = [
            { collation, descending },
            { collation: 'BINARY', descending: false },
          ];
          const source = openPageSource(path);
          const { entries } = readSchema(source, new Claims());
          const root = entries.find(({ name }) => name === 'i')!.rootPage;
          const events = [...walkIndex(source, root, new Claims(), compareKeys(columns))];
          source.close();
          const rows = events.filter((event) => event.type === 'row');
          expect(rows).toHaveLength(values.length + texts.length);
          expect(rows.filter((row) => row.displaced)).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('does not claim to know the order of a collation of the application', () => {
    expect(compareKeys([{ collation: 'my_order', descending: false }])).toBeNull();
  });
});
