import type { PageImage } from './page-image.ts';

/**
 * A rollback journal as a transaction leaves it that was killed (SQLite file format §3): rolled back over the file, it
 * puts the listed pages back as `image` has them, and the file's length too.
 */
export function journalOf(image: PageImage, pages: readonly number[]): Buffer {
  const sectorBytes = 512;
  const nonce = 0x1234_5678;
  const header = Buffer.alloc(sectorBytes);
  Buffer.from('d9d505f920a163d7', 'hex').copy(header);
  header.writeUInt32BE(pages.length, 8);
  header.writeUInt32BE(nonce, 12);
  header.writeUInt32BE(image.pageCount, 16);
  header.writeUInt32BE(sectorBytes, 20);
  header.writeUInt32BE(image.pageBytes, 24);
  const records = pages.map((page) => {
    const record = Buffer.alloc(8 + image.pageBytes);
    record.writeUInt32BE(page, 0);
    image.page(page).copy(record, 4);
    let sum = nonce;
    for (let at = image.pageBytes - 200; at > 0; at -= 200) sum += image.page(page)[at]!;
    record.writeUInt32BE(sum >>> 0, 4 + image.pageBytes);
    return record;
  });
  return Buffer.concat([header, ...records]);
}
