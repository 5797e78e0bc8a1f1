import { describe, expect, it } from 'vitest';
import { ChangedPages } from './changed-pages.ts';

describe('ChangedPages', () => {
  it('proves nothing about a page that was cut off meanwhile, written again or not', () => {
    const pages = new ChangedPages(100);
    pages.addPageCount(80);
    pages.addPageCount(120);
    expect(pages.isUnchanged(79 * 512, 512, 512)).toBe(true);
    expect(pages.isUnchanged(80 * 512, 512, 512)).toBe(false);
    expect(pages.isUnchanged(110 * 512, 512, 512)).toBe(false);
  });

  it('one changed page is enough among those that some bytes touch', () => {
    const pages = new ChangedPages(1_000);
    pages.add(17, 1);
    expect(pages.isUnchanged(0, 16 * 4096, 4096)).toBe(true);
    expect(pages.isUnchanged(0, 16 * 4096 + 1, 4096)).toBe(false);
    expect(pages.isUnchanged(17 * 4096, 65536, 4096)).toBe(true);
    expect(pages.isUnchanged(17 * 4096 - 1, 1, 4096)).toBe(false);
  });
});
