import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineDecoder } from './line-decoder.ts';

function drain(decoder: LineDecoder): string[] {
  const lines: string[] = [];
  for (;;) {
    const line = decoder.next();
    if (line === null) return lines;
    if (line === 'overflow') return [...lines, 'overflow'];
    lines.push(line.toString('latin1'));
  }
}

describe('LineDecoder', () => {
  it('gives the same lines wherever the stream is cut', () => {
    const line = fc
      .uint8Array({ maxLength: 40 })
      .map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0x0a)));
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 12 }),
        fc.array(fc.nat({ max: 600 }), { maxLength: 30 }),
        fc.boolean(),
        (lines, cuts, pullBetween) => {
          const stream = Buffer.concat(lines.flatMap((each) => [each, Buffer.from('\n')]));
          const decoder = new LineDecoder(64);
          const found: string[] = [];
          const places = [...cuts.filter((cut) => cut < stream.length), stream.length].sort(
            (left, right) => left - right,
          );
          let start = 0;
          for (const end of places) {
            decoder.push(stream.subarray(start, end));
            if (pullBetween) found.push(...drain(decoder));
            start = end;
          }
          found.push(...drain(decoder));
          expect(found).toEqual(lines.map((each) => each.toString('latin1')));
          expect(decoder.unfinishedBytes).toBe(0);
        },
      ),
      { numRuns: 500, verbose: true },
    );
  });

  it('accepts a line of exactly the limit, newline included, and no longer one', () => {
    for (const cut of [1, 5, 9, 10]) {
      const exact = new LineDecoder(10);
      const bytes = Buffer.from('123456789\n');
      exact.push(bytes.subarray(0, cut));
      const early = drain(exact);
      exact.push(bytes.subarray(cut));
      expect([...early, ...drain(exact)]).toEqual(['123456789']);
    }
    const over = new LineDecoder(10);
    over.push(Buffer.from('ok\n1234567890\n'));
    expect(drain(over)).toEqual(['ok', 'overflow']);
    expect(over.next()).toBe('overflow');
  });

  it('notices an endless line when the limit is reached, not when it ends', () => {
    const decoder = new LineDecoder(1000);
    let pushedBytes = 0;
    while (decoder.next() !== 'overflow') {
      decoder.push(Buffer.alloc(10, 'x'));
      pushedBytes += 10;
    }
    expect(pushedBytes).toBe(1000);
  });

  it('takes a line byte by byte in linear time', () => {
    const decoder = new LineDecoder(1024 * 1024);
    const byte = Buffer.from('x');
    for (let index = 0; index < 500_000; index += 1) {
      decoder.push(byte);
      decoder.next();
    }
    decoder.push(Buffer.from('\n'));
    expect(decoder.next()?.length).toBe(500_000);
  });
});
