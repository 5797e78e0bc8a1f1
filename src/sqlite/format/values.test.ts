import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { localPayloadBytes } from './cell.ts';
import { decodeRecord, StoredText } from './record.ts';
import { decodeVarint, integerOf } from './varint.ts';

/** A variable-length integer as SQLite writes it. */
function encodeVarint(value: bigint): Buffer {
  const unsigned = BigInt.asUintN(64, value);
  if (unsigned >= 2n ** 56n) {
    const bytes = [Number(unsigned & 0xffn)];
    for (let rest = unsigned >> 8n; bytes.length < 9; rest >>= 7n) {
      bytes.unshift(Number(rest & 0x7fn) | 0x80);
    }
    return Buffer.from(bytes);
  }
  const bytes = [Number(unsigned & 0x7fn)];
  for (let rest = unsigned >> 7n; rest > 0n; rest >>= 7n) {
    bytes.unshift(Number(rest & 0x7fn) | 0x80);
  }
  return Buffer.from(bytes);
}

describe('decodeVarint', () => {
  it('reads every 64-bit integer exactly, in the bytes that it takes', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.nat(63),
        (raw, shift) => {
          const value = raw >> BigInt(shift);
          const bytes = encodeVarint(value);
          const expected = { ok: true, value: integerOf(value), lengthBytes: bytes.length };
          expect(decodeVarint(bytes, 0, bytes.length)).toEqual(expected);
          expect(decodeVarint(bytes, 0, bytes.length - 1).ok).toBe(false);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('gives a number wherever a number is exact', () => {
    expect(integerOf(2n ** 53n - 1n)).toBe(2 ** 53 - 1);
    expect(integerOf(2n ** 53n)).toBe(2n ** 53n);
  });
});

describe('decodeRecord', () => {
  const body = (hex: string) => decodeRecord(Buffer.from(hex, 'hex'), 'UTF-8');

  it('reads the constants 0 and 1 of schema format 4, and takes no bytes for them', () => {
    expect(body('030809')).toMatchObject({
      values: [0, 1],
      serialTypes: [8, 9],
    });
  });

  it('refuses reserved types, values off the end, and bytes that belong to no value', () => {
    for (const hex of ['020a', '020b', '0201', '03010101', '020100ff', '00', '', '0580', '0311']) {
      expect(body(hex), hex).toMatchObject({ ok: false });
    }
  });

  it('reads NaN as NULL and keeps infinities', () => {
    expect(body('02077ff8000000000000')).toMatchObject({ values: [null] });
    expect(body('0207fff0000000000000')).toMatchObject({ values: [-Infinity] });
  });

  it('keeps text that is none as bytes', () => {
    const record = body('0213c328ff');
    if (!record.ok) throw new Error(record.fault);
    const [text] = record.values;
    expect(text).toBeInstanceOf(StoredText);
    if (text instanceof StoredText) {
      expect(text.bytes.toString('hex')).toBe('c328ff');
      expect(text.text).toBe('\ufffd(\ufffd');
    }
  });

  it('decodes UTF-16 of both orders', () => {
    expect(new StoredText(Buffer.from('e900', 'hex'), 'UTF-16le').text).toBe('é');
    expect(new StoredText(Buffer.from('00e9', 'hex'), 'UTF-16be').text).toBe('é');
  });
});

describe('localPayloadBytes', () => {
  it('keeps all of a small record, and of a large one what fills its overflow pages', () => {
    expect(localPayloadBytes(4061, 'table-leaf', 4096)).toBe(4061);
    expect(localPayloadBytes(4062, 'table-leaf', 4096)).toBe(489);
    expect(localPayloadBytes(489 + 4092 + 100, 'table-leaf', 4096)).toBe(589);
    expect(localPayloadBytes(1002, 'index-leaf', 4096)).toBe(1002);
    expect(localPayloadBytes(1003, 'index-leaf', 4096)).toBe(489);
  });
});
