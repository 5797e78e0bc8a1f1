import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCell } from './cell.ts';
import { restoreCellCount } from './cell-count.ts';
import { detectPageBytes } from './detect-page-bytes.ts';
import { readFreelist } from './freelist.ts';
import { readPayload } from './overflow.ts';
import { decodePage, type PageKind } from './page.ts';
import { checkPage } from './page-check.ts';
import { decodePointerMapEntry } from './pointer-map.ts';
import { decodeRecord } from './record.ts';
import { decodeJournalHeader, readRollbackJournal } from './rollback-journal.ts';
import { bufferSource } from './testing/buffer-source.ts';
import { decodeVarint } from './varint.ts';

const KINDS: PageKind[] = ['table-leaf', 'table-interior', 'index-leaf', 'index-interior'];
const RUNS = { numRuns: 1500 };

/** Bytes in which small numbers, page types and sign bits are likelier than chance. */
const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc
    .array(fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 2, 5, 10, 13, 0x80, 0xff)), {
      maxLength,
      size: 'max',
    })
    .map((all) => Buffer.from(all));

const layout = fc
  .tuple(fc.constantFrom(512, 1024, 4096, 65_536), fc.nat(255))
  .map(([pageBytes, reserved]) => ({ pageBytes, usableBytes: pageBytes - Math.min(reserved, 32) }));

describe('decoders of any bytes', () => {
  it('decode or fault cells, records and integers, and never throw', () => {
    fc.assert(
      fc.property(bytes(200), fc.nat(220), layout, (input, offset, chosen) => {
        for (const kind of KINDS) {
          const cell = decodeCell(input, offset, kind, chosen);
          if (cell.ok) expect(cell.localOffset + cell.localBytes).toBeLessThanOrEqual(input.length);
          else expect(cell.fault).not.toBe('');
        }
        const integer = decodeVarint(input, offset, input.length);
        if (integer.ok) expect(offset + integer.lengthBytes).toBeLessThanOrEqual(input.length);
        for (const encoding of ['UTF-8', 'UTF-16le', 'UTF-16be'] as const) {
          const record = decodeRecord(input.subarray(offset), encoding);
          if (record.ok) expect(record.values).toHaveLength(record.serialTypes.length);
        }
        decodePointerMapEntry(input, offset, chosen);
        decodeJournalHeader(input.subarray(offset));
      }),
      RUNS,
    );
  });

  it('decode or fault pages, whatever they claim', () => {
    fc.assert(
      fc.property(bytes(700), fc.constantFrom(2, 5, 10, 13), layout, (input, kind, chosen) => {
        if (input.length > 0) input[0] = kind;
        const page = decodePage(input, 2, chosen);
        if (!page.ok) return;
        const checked = checkPage(input, page, chosen);
        expect(checked.cells).toHaveLength(page.cellOffsets.length);
        const restored = restoreCellCount(input, 2, chosen);
        if (restored !== null) expect(restored.checked.faults).toEqual([]);
      }),
      RUNS,
    );
  });

  it('end on freelists, overflow chains and journals of any shape', () => {
    fc.assert(
      fc.property(bytes(4096), fc.nat(12), (input, first) => {
        const source = bufferSource(input, { pageBytes: 512, pageCount: 12 });
        readFreelist(source);
        const cell = { offset: 0, lengthBytes: 8, leftChild: null, rowid: 1, localOffset: 0 };
        for (const payloadBytes of [9, 600, 6000, 2 ** 31 - 1]) {
          const page = Buffer.alloc(512);
          const claimed = { ...cell, payloadBytes, localBytes: 4, overflowPage: first };
          const payload = readPayload(source, page, claimed);
          if (payload.ok) expect(payload.payload).toHaveLength(payloadBytes);
        }
        const read = (offset: number, lengthBytes: number): Buffer =>
          input.subarray(offset, offset + lengthBytes);
        detectPageBytes(read);
        readRollbackJournal(read, input.length);
      }),
      { numRuns: 400 },
    );
  });
});
