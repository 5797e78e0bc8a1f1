import type { Activity } from '../../kernel/activity.ts';
import { cannot } from '../../kernel/errors.ts';
import type { ArchiveEntry, ArchiveFormat } from './archive-entry.ts';
import { checkWrittenName } from './archive-names.ts';
import { checkedContent } from './checked-content.ts';
import { gzip, zstd } from './coded-stream.ts';
import { writeTar } from './write-tar.ts';
import { writeZip } from './write-zip.ts';

export type { ArchiveFormat } from './archive-entry.ts';

/** Headers and ends of entries are collected: a piece for each would cost more than what is in it. */
const PIECE_BYTES = 64 * 1024;

function checkEntry(entry: ArchiveEntry): void {
  const { path, type, linkTarget, bytes, modifiedMs } = entry;
  checkWrittenName(path, type === 'symlink' ? (linkTarget ?? '') : undefined);
  const isValid =
    Number.isSafeInteger(bytes) &&
    bytes >= 0 &&
    Math.abs(modifiedMs) <= 8.64e15 &&
    (type === 'file' ? bytes === 0 || entry.content !== undefined : bytes === 0);
  if (!isValid)
    throw cannot('INVALID_PARAMS', 'archive', path, 'its size or time cannot be written');
}

function changed(path: string, state: string): Error {
  return cannot('VERIFY_FAILED', 'archive', path, state, {
    hint: 'What is archived must not change meanwhile: archive a snapshot.',
  });
}

/** Entries as given, each checked, its content counted, and the work reported. */
async function* checkedEntries(
  entries: AsyncIterable<ArchiveEntry>,
  activity: Activity,
): AsyncGenerator<ArchiveEntry, void> {
  let filesDone = 0;
  let bytesDone = 0;
  for await (const entry of entries) {
    activity.signal.throwIfAborted();
    checkEntry(entry);
    const { content, linkTarget, ...rest } = entry;
    activity.progress({ currentFile: entry.path });
    if (entry.type === 'symlink') yield { ...rest, linkTarget: linkTarget! };
    else if (entry.type === 'directory' || content === undefined) yield rest;
    else {
      async function* counted(): AsyncGenerator<Uint8Array, void> {
        const expected = { bytes: entry.bytes, refuse: changed };
        for await (const piece of checkedContent(entry.path, content!(), expected)) {
          activity.signal.throwIfAborted();
          bytesDone += piece.length;
          activity.progress({ bytesDone });
          yield piece;
        }
      }
      yield { ...rest, content: counted };
    }
    filesDone += 1;
    activity.progress({ filesDone });
  }
}

async function* inPieces(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of source) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes < PIECE_BYTES) continue;
    yield pieces.length === 1 ? piece : Buffer.concat(pieces, bytes);
    pieces = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(pieces, bytes);
}

/**
 * The bytes of an archive, in pieces of about 64 KiB, made as they are asked for. The same entries give the same
 * bytes: entries stand in the order given, with owner 0, `mode & 0o777`, and no time but their own.
 * @throws PATH_UNSAFE, INVALID_PARAMS for an entry that cannot be written; VERIFY_FAILED for a content that is not as
 * long as its entry says; UNSUPPORTED_FORMAT for tar.zst where nothing can compress it; whatever `entries` throws
 */
export function writeArchive(
  entries: AsyncIterable<ArchiveEntry>,
  format: ArchiveFormat,
  activity: Activity,
): AsyncIterable<Uint8Array> {
  const checked = checkedEntries(entries, activity);
  if (format === 'zip') return inPieces(writeZip(checked));
  const tar = inPieces(writeTar(checked));
  if (format === 'tar.gz') return gzip(tar);
  return format === 'tar.zst' ? zstd(tar) : tar;
}
