import type { ArchiveEntry } from './archive-entry.ts';
import { encodePaxRecords } from './pax-records.ts';
import { encodeTarHeader, TAR_BLOCK_BYTES, TAR_OCTAL_MAX } from './tar-header.ts';

const NAME_BYTES_MAX = 100;
/** Two blocks of zeros end an archive. */
const END = Buffer.alloc(2 * TAR_BLOCK_BYTES);
const TYPES = { file: '0', directory: '5', symlink: '2' } as const;

/** Printable ASCII: any other name is read differently by different tools unless pax says that it is UTF-8. */
const PLAIN = /^[\x20-\x7e]*$/;
const isPlain = (text: string): boolean => text.length <= NAME_BYTES_MAX && PLAIN.test(text);

/** For tools that do not know pax. */
const plainName = (text: string): string =>
  text.replace(/[^\x20-\x7e]/g, '_').slice(0, NAME_BYTES_MAX);

/** Seconds with as many digits as are needed, down to microseconds: `-1.5` for 1500 ms before the epoch. */
export function paxSeconds(ms: number): string {
  const micros = BigInt(Math.round(ms * 1000));
  const size = micros < 0n ? -micros : micros;
  const fraction = String(size % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '');
  return `${micros < 0n ? '-' : ''}${size / 1_000_000n}${fraction === '' ? '' : `.${fraction}`}`;
}

function paxRecordsOf(entry: ArchiveEntry, name: string): Map<string, string> {
  const records = new Map<string, string>();
  if (!isPlain(name)) records.set('path', name);
  if (entry.linkTarget !== undefined && !isPlain(entry.linkTarget)) {
    records.set('linkpath', entry.linkTarget);
  }
  if (entry.bytes > TAR_OCTAL_MAX) records.set('size', String(entry.bytes));
  const seconds = paxSeconds(entry.modifiedMs);
  if (!/^\d+$/.test(seconds) || Number(seconds) > TAR_OCTAL_MAX) records.set('mtime', seconds);
  return records;
}

function padded(body: Buffer): Buffer {
  const padding = -body.length & (TAR_BLOCK_BYTES - 1);
  return padding === 0 ? body : Buffer.concat([body, END.subarray(0, padding)]);
}

/** The blocks before an entry's content. */
function headerOf(entry: ArchiveEntry): Buffer {
  const name = entry.type === 'directory' ? `${entry.path}/` : entry.path;
  const modifiedSeconds = Math.floor(entry.modifiedMs / 1000);
  const header = encodeTarHeader({
    name: plainName(name),
    linkName: plainName(entry.linkTarget ?? ''),
    type: TYPES[entry.type],
    mode: entry.mode & 0o777,
    bytes: entry.bytes,
    modifiedSeconds,
  });
  const records = paxRecordsOf(entry, name);
  if (records.size === 0) return header;
  const body = encodePaxRecords(records);
  const paxHeader = encodeTarHeader({
    name: plainName(`PaxHeaders/${entry.path}`),
    linkName: '',
    type: 'x',
    mode: 0o644,
    bytes: body.length,
    modifiedSeconds,
  });
  return Buffer.concat([paxHeader, padded(body), header]);
}

/** POSIX ustar, with pax headers for what ustar cannot say. Contents must be as long as their entries say. */
export async function* writeTar(
  entries: AsyncIterable<ArchiveEntry>,
): AsyncGenerator<Uint8Array, void> {
  for await (const entry of entries) {
    yield headerOf(entry);
    if (entry.type !== 'file' || entry.content === undefined) continue;
    yield* entry.content();
    const padding = -entry.bytes & (TAR_BLOCK_BYTES - 1);
    if (padding > 0) yield END.subarray(0, padding);
  }
  yield END;
}
