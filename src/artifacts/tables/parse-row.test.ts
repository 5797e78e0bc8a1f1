import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CellValue, RawText, valueAsJson } from './cell-value.ts';
import { parseRow } from './parse-row.ts';
import { RowProblem } from './row-problem.ts';

const cell: fc.Arbitrary<CellValue> = fc.oneof(
  fc.constant(null),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.double({ noNaN: true }),
  fc.string({ unit: 'binary' }),
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  fc.uint8Array().map((bytes) => new RawText(Buffer.from(bytes))),
);

describe('parseRow()', () => {
  it('T-D12, T-D13: reads every value back as it was written', () => {
    fc.assert(
      fc.property(
        fc.array(cell, { minLength: 1 }),
        fc.string({ unit: 'binary' }),
        (values, name) => {
          const row = parseRow(` [${values.map(valueAsJson).join(' , ')}]\t`);
          expect(row).toEqual({ names: null, values });
          expect(
            row.values.every(
              (value, index) => Object.is(value, values[index]) || typeof value === 'object',
            ),
          ).toBe(true);
          const object = parseRow(`{${JSON.stringify(name)} :${valueAsJson(values[0]!)}}`);
          expect(object).toEqual({ names: [name], values: [values[0]] });
        },
      ),
    );
  });

  it('T-33: takes of any text only what is JSON, and says of the rest that it is no row', () => {
    const bits = [
      '[',
      ']',
      '{',
      '}',
      ',',
      ':',
      '"',
      '\\',
      '1',
      '-',
      '.',
      'e9',
      'null',
      'true',
      '$i',
      ' ',
      '\t',
      '\ud800',
    ];
    const text = fc.oneof(
      fc.array(fc.constantFrom(...bits)).map((parts) => `[${parts.join('')}`),
      fc.array(fc.constantFrom(...bits)).map((parts) => parts.join('')),
      fc.string({ unit: 'binary' }),
      fc.json(),
    );
    fc.assert(
      fc.property(text, (line) => {
        try {
          parseRow(line);
        } catch (error) {
          expect(error).toBeInstanceOf(RowProblem);
          return;
        }
        expect(() => JSON.parse(line)).not.toThrow();
      }),
      { numRuns: 3_000 },
    );
  });

  it('T-D13: integers are never rounded, and never made of endless digits', () => {
    const value = (json: string): CellValue => parseRow(`[${json}]`).values[0]!;
    expect(value('9007199254740993')).toBe(9007199254740993n);
    expect(value('-9223372036854775808')).toBe(-(2n ** 63n));
    expect(() => value('9223372036854775808')).toThrow(RowProblem);
    expect(() => value('1'.repeat(5_000_000))).toThrow(RowProblem);
    expect(value('1.0')).toBe(1);
    expect(value('1E2')).toBe(100);
  });
});
