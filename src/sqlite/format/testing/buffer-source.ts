import { pageCountOf, parseHeader } from '../../header.ts';
import type { HeaderFacts, PageSource } from '../page-source.ts';

/** The pages of a database that lies in memory; its header, unless facts are given, must be readable. */
export function bufferSource(bytes: Buffer, facts: HeaderFacts = {}): PageSource {
  const header = parseHeader(bytes);
  const pageBytes = facts.pageBytes ?? header?.pageBytes ?? 4096;
  const reservedBytes = facts.reservedBytes ?? header?.reservedBytes ?? 0;
  const counted = header === null ? 0 : pageCountOf({ ...header, pageBytes }, bytes.length);
  const pageCount = facts.pageCount ?? (counted || Math.ceil(bytes.length / pageBytes));
  return {
    pageBytes,
    reservedBytes,
    usableBytes: pageBytes - reservedBytes,
    pageCount,
    encoding: facts.encoding ?? header?.encoding ?? 'UTF-8',
    autoVacuum: facts.autoVacuum ?? header?.autoVacuum ?? false,
    read: (page) => {
      const start = (page - 1) * pageBytes;
      return page < 1 || page > pageCount || start >= bytes.length
        ? null
        : Buffer.from(bytes.subarray(start, start + pageBytes));
    },
    *existingPages() {
      const last = Math.min(pageCount, Math.ceil(bytes.length / pageBytes));
      for (let page = 1; page <= last; page += 1) yield page;
    },
  };
}
