import type { Activity } from '../../kernel/activity.ts';
import { CHUNK_BYTES } from '../../kernel/limits.ts';
import type { ContentSource } from '../store.ts';
import { bytePool } from '../threads/byte-pool.ts';
import { BLOCK_BYTES, LentBlock } from '../threads/lent-block.ts';
import { type Content, EMPTY_CONTENT } from './content.ts';
import { KeptChunks } from './kept-chunks.ts';
import { NodeBuilder } from './node-builder.ts';
import type { ObjectWriter } from './object-writer.ts';
import { ContentCursor, type ReadObject } from './walk-content.ts';

const BLOCKS_AHEAD = 4;
/** Shorter pieces would waste the memory that is lent for them. */
const LENT_BYTES_MIN = BLOCK_BYTES / 4;

/**
 * Cuts a file into chunks and stores those that are new; memory does not grow with the file. Storing goes on
 * after this returns: `ObjectWriter.settle` waits for it.
 */
export async function writeContentTo(
  objects: ObjectWriter,
  read: ReadObject,
  source: ContentSource,
  parent: Content | null,
  activity: Activity,
): Promise<Content> {
  if (source.bytes === 0) return EMPTY_CONTENT;
  const predecessors = parent === null ? null : new ContentCursor(parent, read);
  if (isSingleChunk(source)) return writeChunk(objects, predecessors, source, activity);
  const nodes = new NodeBuilder(objects, predecessors);
  const kept =
    parent === null || source.isAsBefore === undefined
      ? null
      : new KeptChunks(source, parent, read, objects);
  const stored = storedChunks(source, kept, objects);
  let offset = 0;
  for await (const chunks of blocksOf(source, stored, activity, objects.idKey)) {
    for (const { chunk, id, block } of chunks) {
      if (chunk === null) await nodes.addStored(id);
      else await nodes.addChunk(chunk, id, () => block?.release());
      source.onStored?.(offset, id);
      offset += CHUNK_BYTES;
    }
  }
  return nodes.finish(source.bytes);
}

/** Of which nothing is known either: nearly every ordinary file. */
function isSingleChunk({ bytes, isAsBefore, knownId, onStored }: ContentSource): boolean {
  const isPlain = isAsBefore === undefined && knownId === undefined && onStored === undefined;
  return isPlain && bytes <= CHUNK_BYTES;
}

/** Without the machinery for many chunks, which costs more than storing a small one. */
async function writeChunk(
  objects: ObjectWriter,
  predecessors: ContentCursor | null,
  source: ContentSource,
  activity: Activity,
): Promise<Content> {
  activity.signal.throwIfAborted();
  const chunk = await source.read(0, source.bytes);
  const [hashed] = await hashChunks({ bytes: chunk, block: null }, objects.idKey);
  const { id } = hashed!;
  const predecessor = predecessors === null ? null : () => predecessors.idAt(0, 0);
  await objects.put('chunk', chunk, predecessor, { id });
  return { bytes: source.bytes, depth: 0, ids: [id] };
}

/** The id of a chunk that need not be read, counted as used again; null where it must be. */
type StoredChunk = (offset: number, lengthBytes: number) => Promise<string | null>;

/** Null where every chunk must be read. */
function storedChunks(
  source: ContentSource,
  kept: KeptChunks | null,
  objects: ObjectWriter,
): StoredChunk | null {
  if (kept === null && source.knownId === undefined) return null;
  return async (offset, lengthBytes) => {
    const known = source.knownId?.(offset, lengthBytes) ?? null;
    if (known !== null && objects.reuseChunk(known)) return known;
    return kept === null ? null : kept.idAt(offset, lengthBytes);
  };
}

interface HashedChunk {
  /** Null where it is stored already. */
  readonly chunk: Buffer | null;
  readonly id: string;
  /** What lends the chunk, held for it; null where it is in memory of its own. */
  readonly block: LentBlock | null;
}

/** The chunks of blocks in order; the next blocks are being read, one at a time, and hashed meanwhile. */
async function* blocksOf(
  source: ContentSource,
  stored: StoredChunk | null,
  activity: Activity,
  idKey: Uint8Array | null,
): AsyncGenerator<readonly HashedChunk[]> {
  const ahead: Promise<readonly HashedChunk[]>[] = [];
  let lastRead: Promise<unknown> = Promise.resolve();
  let isOver = false;
  const read = async ({ offset, lengthBytes, kept }: Piece): Promise<ReadPiece> => {
    // Nothing may be read once the consumer has gone: the source may be closed then.
    if (isOver || kept !== null) return { bytes: Buffer.alloc(0), block: null };
    if (lengthBytes < LENT_BYTES_MIN) {
      return { bytes: await source.read(offset, lengthBytes), block: null };
    }
    const block = new LentBlock();
    const bytes = await source.read(offset, lengthBytes, block.bytes);
    if (block.lends(bytes)) return { bytes, block };
    block.release();
    return { bytes, block: null };
  };
  const begin = (offset: number): void => {
    const lengthBytes = Math.min(BLOCK_BYTES, source.bytes - offset);
    const reading = lastRead.then(async () => {
      if (isOver) return [];
      activity.signal.throwIfAborted();
      const pieces = await piecesOf(offset, lengthBytes, stored);
      const hashed: Promise<readonly HashedChunk[]>[] = [];
      for (const piece of pieces) {
        const hashing = hashPiece(piece, await read(piece), idKey);
        hashing.catch(() => {});
        hashed.push(hashing);
      }
      return hashed;
    });
    lastRead = reading;
    const hashed = reading.then(async (pieces) => (await Promise.all(pieces)).flat());
    // Thrown where it is awaited; nobody awaits it if the consumer fails first.
    hashed.catch(() => {});
    ahead.push(hashed);
  };
  try {
    let offset = 0;
    do {
      for (; ahead.length < BLOCKS_AHEAD && offset < source.bytes; offset += BLOCK_BYTES)
        begin(offset);
      const next = ahead.shift();
      if (next !== undefined) yield await next;
    } while (ahead.length > 0 || offset < source.bytes);
  } finally {
    isOver = true;
  }
}

/** Chunks that are kept, or bytes to be read at once. */
interface Piece {
  readonly offset: number;
  readonly lengthBytes: number;
  readonly kept: string | null;
}

async function piecesOf(
  offset: number,
  lengthBytes: number,
  stored: StoredChunk | null,
): Promise<readonly Piece[]> {
  if (stored === null) return [{ offset, lengthBytes, kept: null }];
  const pieces: Piece[] = [];
  for (let at = offset; at < offset + lengthBytes; at += CHUNK_BYTES) {
    const chunkBytes = Math.min(CHUNK_BYTES, offset + lengthBytes - at);
    const id = await stored(at, chunkBytes);
    const last = pieces.at(-1);
    if (id === null && last?.kept === null) {
      pieces[pieces.length - 1] = { ...last, lengthBytes: last.lengthBytes + chunkBytes };
    } else {
      pieces.push({ offset: at, lengthBytes: chunkBytes, kept: id });
    }
  }
  return pieces;
}

interface ReadPiece {
  readonly bytes: Buffer;
  readonly block: LentBlock | null;
}

async function hashPiece(
  piece: Piece,
  read: ReadPiece,
  idKey: Uint8Array | null,
): Promise<readonly HashedChunk[]> {
  if (piece.kept !== null) return [{ chunk: null, id: piece.kept, block: null }];
  return hashChunks(read, idKey);
}

/** Each chunk holds its block; who hands them out does no longer. */
async function hashChunks(
  { bytes, block }: ReadPiece,
  idKey: Uint8Array | null,
): Promise<readonly HashedChunk[]> {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    chunks.push(bytes.subarray(at, Math.min(at + CHUNK_BYTES, bytes.length)));
    block?.hold();
  }
  block?.release();
  const { ids = [] } = await bytePool().run({ kind: 'chunk-ids', bytes, idKey });
  return chunks.map((chunk, index) => ({ chunk, id: ids[index]!, block }));
}
