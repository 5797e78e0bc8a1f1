import type { ArchiveEntry } from './archive-entry.ts';
import { decodeName } from './archive-names.ts';
import { damaged, tooMuch, unsupported } from './archive-refusal.ts';
import type { ByteReader } from './byte-reader.ts';
import { parsePaxRecords } from './pax-records.ts';
import { describeTarEntry, SPARSE_HINT, type TarExtensions } from './tar-entry.ts';
import { decodeTarHeader, TAR_BLOCK_BYTES, type TarHeader } from './tar-header.ts';

/** Of one header that only describes the next entry. Extended attributes stand in them too. */
const EXTENSION_BYTES_MAX = 1024 * 1024;
/** Zeros after the end, as tapes and disk images have them. */
const TRAILING_BYTES_MAX = 64 * 1024 * 1024;
const isZero = (block: Buffer): boolean => block.every((byte) => byte === 0);
const paddingOf = (bytes: number): number => -bytes & (TAR_BLOCK_BYTES - 1);

/** Reads the entries of a tar archive one after another: v7, ustar, pax and GNU long names. */
export class TarReader {
  readonly #reader: ByteReader;
  readonly #archive: string;
  readonly #globalRecords = new Map<string, string>();
  #unread = 0;

  /** `archive`: its name in errors. */
  constructor(reader: ByteReader, archive: string) {
    this.#reader = reader;
    this.#archive = archive;
  }

  /** A global header counts as an entry that is null: no archive may go on for ever. */
  async *entries(): AsyncGenerator<ArchiveEntry | null, void> {
    for (;;) {
      const header = await this.#nextHeader();
      if (header === null) return await this.#checkEnd();
      if (header.type === 'g') {
        await this.#readGlobalRecords(header);
        yield null;
        continue;
      }
      const [described, extensions] = await this.#readExtensions(header);
      const entry = describeTarEntry(described, extensions, this.#archive, () => this.#content());
      this.#unread = entry.bytes;
      const padding = paddingOf(entry.bytes);
      yield entry;
      await this.#reader.skip(this.#unread + padding);
    }
  }

  async #nextHeader(): Promise<TarHeader | null> {
    const block = await this.#reader.exactly(TAR_BLOCK_BYTES);
    if (block[0] === 0 && isZero(block)) return null;
    return decodeTarHeader(block, this.#archive);
  }

  async #checkEnd(): Promise<void> {
    let trailingBytes = 0;
    for (;;) {
      const piece = await this.#reader.some(TRAILING_BYTES_MAX);
      if (piece.length === 0) return;
      trailingBytes += piece.length;
      if (!isZero(piece)) throw damaged(this.#archive, 'something follows its end');
      if (trailingBytes > TRAILING_BYTES_MAX) {
        throw tooMuch(this.#archive, 'nothing but zeros follows its end', { trailingBytes });
      }
    }
  }

  async #extensionBody(header: TarHeader): Promise<Buffer> {
    if (header.bytes > EXTENSION_BYTES_MAX) {
      throw tooMuch(this.#archive, 'a header that describes the next entry is too long', {
        bytes: header.bytes,
        bytesMax: EXTENSION_BYTES_MAX,
      });
    }
    const body = await this.#reader.exactly(header.bytes);
    const copy = Buffer.from(body);
    await this.#reader.skip(paddingOf(header.bytes));
    return copy;
  }

  async #readGlobalRecords(header: TarHeader): Promise<void> {
    const records = parsePaxRecords(await this.#extensionBody(header), this.#archive);
    this.#checkRecords(records);
    for (const key of ['path', 'linkpath', 'size']) {
      if (records.has(key))
        throw damaged(this.#archive, `a pax header gives every entry one ${key}`);
    }
    const mtime = records.get('mtime');
    if (mtime !== undefined) this.#globalRecords.set('mtime', mtime);
  }

  /** Headers before an entry, each kind at most once, and the entry's own header. */
  async #readExtensions(first: TarHeader): Promise<[TarHeader, TarExtensions]> {
    const found = new Map<string, Buffer>();
    let header = first;
    while (header.type === 'x' || header.type === 'L' || header.type === 'K') {
      if (found.has(header.type)) throw damaged(this.#archive, 'an entry is described twice');
      found.set(header.type, await this.#extensionBody(header));
      const next = await this.#nextHeader();
      if (next === null) throw damaged(this.#archive, 'it ends before the entry it describes');
      header = next;
    }
    const pax = found.get('x');
    const records = pax === undefined ? new Map() : parsePaxRecords(pax, this.#archive);
    this.#checkRecords(records);
    const longName = longText(found.get('L'));
    const longLinkName = longText(found.get('K'));
    return [header, { records, globalRecords: this.#globalRecords, longName, longLinkName }];
  }

  #checkRecords(records: ReadonlyMap<string, string>): void {
    for (const key of records.keys()) {
      if (key.startsWith('GNU.sparse.'))
        throw unsupported(this.#archive, 'it holds a sparse file', SPARSE_HINT);
    }
    if (records.get('hdrcharset') === 'BINARY') {
      const state = 'it says that its names are not UTF-8';
      throw unsupported(this.#archive, state, 'Make it again in a UTF-8 locale.');
    }
  }

  async *#content(): AsyncGenerator<Uint8Array, void> {
    for await (const piece of this.#reader.stream(this.#unread)) {
      this.#unread -= piece.length;
      yield piece;
    }
  }
}

/** The body of a GNU long name: text up to its first NUL. */
function longText(body: Buffer | undefined): string | null {
  if (body === undefined) return null;
  const end = body.indexOf(0);
  return decodeName(end === -1 ? body : body.subarray(0, end));
}
