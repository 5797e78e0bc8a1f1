import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Activity } from '../../kernel/activity.ts';
import { cannot, systemCode } from '../../kernel/errors.ts';
import { damaged, unsupported } from './archive-refusal.ts';

const PIECE_BYTES = 256 * 1024;
/** Portions up to this size are read with what surrounds them: an archive has its small parts side by side. */
const WINDOW_BYTES = 64 * 1024;

/** Opening a pipe must not wait for somebody who writes to it. */
const READ = constants.O_RDONLY | constants.O_NONBLOCK;

/** An archive on disk, read in order or anywhere; its size is the one that it had when it was opened. */
export class ArchiveFile {
  readonly path: string;
  readonly bytes: number;
  readonly #handle: FileHandle;
  readonly #activity: Activity;
  #window: Buffer = Buffer.alloc(0);
  #windowAt = 0;

  private constructor(path: string, bytes: number, handle: FileHandle, activity: Activity) {
    this.path = path;
    this.bytes = bytes;
    this.#handle = handle;
    this.#activity = activity;
  }

  /** @throws PATH_NOT_FOUND, UNSUPPORTED_FORMAT for what is not a file, system errors */
  static async open(path: string, activity: Activity): Promise<ArchiveFile> {
    const handle = await open(path, READ).catch((cause: unknown) => {
      if (systemCode(cause) !== 'ENOENT') throw cause;
      throw cannot('PATH_NOT_FOUND', 'read archive', path, 'there is no such file', { cause });
    });
    const status = await handle.stat();
    if (status.isFile()) return new ArchiveFile(path, status.size, handle, activity);
    await handle.close();
    throw unsupported(path, 'it is not a file', 'Name an archive.');
  }

  /** The bytes from `start` up to `end`. @throws VERIFY_FAILED when the file ends before */
  async *stream(start: number, end: number): AsyncGenerator<Buffer, void> {
    for (let at = start; at < end; ) {
      this.#activity.signal.throwIfAborted();
      const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, end - at));
      const { bytesRead } = await this.#handle.read(piece, 0, piece.length, at);
      if (bytesRead === 0) throw damaged(this.path, 'it ends too early');
      at += bytesRead;
      yield piece.subarray(0, bytesRead);
    }
  }

  /** Exactly these bytes, valid until the next call. @throws VERIFY_FAILED when they are not all within the file */
  async portion(start: number, bytes: number): Promise<Buffer> {
    if (start < 0 || bytes < 0 || start + bytes > this.bytes) {
      throw damaged(this.path, 'it ends too early');
    }
    const isInWindow =
      start >= this.#windowAt && start + bytes <= this.#windowAt + this.#window.length;
    if (!isInWindow) await this.#moveWindow(start, Math.max(bytes, WINDOW_BYTES));
    const at = start - this.#windowAt;
    return this.#window.subarray(at, at + bytes);
  }

  async #moveWindow(start: number, bytesMax: number): Promise<void> {
    const pieces: Buffer[] = [];
    const end = Math.min(start + bytesMax, this.bytes);
    for await (const piece of this.stream(start, end)) pieces.push(piece);
    this.#window = Buffer.concat(pieces);
    this.#windowAt = start;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
