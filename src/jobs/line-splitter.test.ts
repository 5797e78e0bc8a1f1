import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LOG_LINE_BYTES_MAX } from '../kernel/limits.ts';
import { LineSplitter, splitLine } from './line-splitter.ts';

function split(bytes: Buffer, cuts: readonly number[]): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let start = 0;
  for (const place of [...places, bytes.length]) {
    splitter.push(bytes.subarray(start, place));
    start = place;
  }
  splitter.end();
  return lines;
}

it('lines are the same however the stream is chopped up, inside characters too', () => {
  const text = fc.array(fc.string({ unit: 'grapheme' }).map((line) => line.replace(/[\r\n]/g, '')));
  fc.assert(
    fc.property(text, fc.array(fc.nat()), (lines, cuts) => {
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
      expect(split(bytes, cuts)).toEqual(lines);
    }),
  );
});

it('a last line without an end is a line, and \\r\\n ends one', () => {
  expect(split(Buffer.from('one\r\ntwo'), [])).toEqual(['one', 'two']);
  expect(split(Buffer.from(''), [])).toEqual([]);
});

it('long lines become pieces within the bound that join to the whole, never cut in a character', () => {
  for (const character of ['x', 'é', '語', '🦊']) {
    for (const extra of [-1, 0, 1, 100_000]) {
      const line = character.repeat(Math.ceil(LOG_LINE_BYTES_MAX / character.length) + extra);
      const pieces = splitLine(line);
      expect(pieces.join('')).toBe(line);
      expect(Math.max(...pieces.map((piece) => Buffer.byteLength(piece)))).toBeLessThanOrEqual(
        LOG_LINE_BYTES_MAX,
      );
    }
  }
});
