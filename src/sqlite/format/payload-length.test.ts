import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { Claims } from '../btree/claims.ts';
import { walkTable } from '../btree/walk-table.ts';
import { freshDirectory, removeDirectory } from '../testing/directories.ts';
import { decodePage } from './page.ts';
import { checkPage } from './page-check.ts';
import { restorePayloadLengths } from './payload-length.ts';
import { bufferSource } from './testing/buffer-source.ts';

const PAGE_BYTES = 1024;
const directory = freshDirectory();
afterAll(() => removeDirectory(directory));

/** A table of one leaf, page 2, whose rows are short and long; some were deleted. */
function soundBytes(): Buffer {
  const path = join(directory, 'sound.db');
  const db = new Database(path);
  db.exec(`PRAGMA page_size = ${PAGE_BYTES}; CREATE TABLE t(a, b);`);
  const insert = db.prepare('INSERT INTO t VALUES(?, ?)');
  for (let row = 1; row <= 9; row += 1) insert.run(row, `text ${row} `.repeat((row * 5) % 19));
  db.exec('DELETE FROM t WHERE rowid IN (3, 7)');
  db.close();
  return readFileSync(path);
}

const sound = soundBytes();
const source = bufferSource(sound);

function opened(bytes: Buffer) {
  const page = decodePage(bytes, 2, source);
  if (!page.ok) throw new Error(page.fault);
  return { page, checked: checkPage(bytes, page, source) };
}

function rowsOf(bytes: Buffer): string[] {
  const rows: string[] = [];
  for (const event of walkTable(bufferSource(bytes), 2, new Claims())) {
    if (event.type === 'row') rows.push(`${event.rowid} ${event.payload.toString('hex')}`);
  }
  return rows;
}

const leaf = sound.subarray(PAGE_BYTES, 2 * PAGE_BYTES);
const { page } = opened(leaf);

describe('the length that a cell states of its record', () => {
  it('is put right when the record and what follows the cell prove another, and no row is altered', () => {
    const cells = page.cellOffsets.length;
    const damage = fc.uniqueArray(fc.nat(cells - 1), { minLength: 1, maxLength: cells });
    fc.assert(
      fc.property(damage, fc.nat(255), (damaged, byte) => {
        const bytes = Buffer.from(sound);
        for (const index of damaged) bytes[PAGE_BYTES + page.cellOffsets[index]!] = byte;
        const rows = rowsOf(sound);
        const read = rowsOf(bytes);
        for (const row of read) expect(rows).toContain(row);
        expect(read.length).toBeGreaterThanOrEqual(rows.length - damaged.length);
      }),
      { numRuns: 300 },
    );
    const bytes = Buffer.from(sound);
    bytes[PAGE_BYTES + page.cellOffsets[1]!]! -= 3;
    bytes[PAGE_BYTES + page.cellOffsets[4]!] = 0x7f;
    expect(rowsOf(bytes)).toEqual(rowsOf(sound));
  });

  it('is left alone on a sound page', () => {
    expect(restorePayloadLengths(leaf, page, opened(leaf).checked, source)).toBeNull();
  });

  it('is left alone where the types of the values changed as well', () => {
    const bytes = Buffer.from(leaf);
    const offset = page.cellOffsets[1]!;
    bytes[offset]! -= 3;
    // Length, row id, length of the record's header, first type, second type.
    bytes[offset + 4]! += 2;
    expect(restorePayloadLengths(bytes, page, opened(bytes).checked, source)).toBeNull();
  });
});
