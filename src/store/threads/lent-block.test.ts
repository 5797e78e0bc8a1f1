import { expect, it } from 'vitest';
import { BLOCK_BYTES, LentBlock } from './lent-block.ts';

it('memory is lent again only when nobody holds it any more', () => {
  const first = new LentBlock();
  first.bytes.fill(7);
  const view = first.bytes.subarray(10, 20);
  expect(first.lends(view)).toBe(true);
  first.hold();
  first.release();
  const second = new LentBlock();
  expect(second.lends(view)).toBe(false);
  second.bytes.fill(0);
  expect(view.every((byte) => byte === 7)).toBe(true);
  first.release();
  expect(new LentBlock().lends(view)).toBe(true);
});

it('there is always one more: whoever does not give back makes nobody wait', () => {
  const blocks = Array.from({ length: 40 }, () => new LentBlock());
  expect(new Set(blocks.map(({ bytes }) => bytes.buffer)).size).toBe(40);
  expect(blocks.every(({ bytes }) => bytes.length === BLOCK_BYTES)).toBe(true);
  for (const block of blocks) block.release();
});
