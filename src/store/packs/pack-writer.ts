import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeWrite, isWriteLimited } from '../../files/bandwidth.ts';
import { makeDirectory, removeDurably, renameDurably, syncFile } from '../../files/durable.ts';
import { durableStep } from '../../files/durable-steps.ts';
import { requireFreeSpace } from '../../files/free-space.ts';
import { cannot } from '../../kernel/errors.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { PackOwner } from '../format/pack-layout.ts';
import type { RecordFields } from '../format/record.ts';
import { type Layout, packDirectory, packPath } from '../layout.ts';
import { setAside } from '../set-aside.ts';
import { bytePool } from '../threads/byte-pool.ts';
import { OpenPack } from './open-pack.ts';
import { packIndexOf } from './pack-index.ts';
import { verifyPackFile } from './verify-pack-file.ts';

export interface PackWriterOptions {
  readonly layout: Layout;
  readonly owner: PackOwner;
  readonly catalog: Catalog;
  /** Whether a record is decoded again before its pack gets its name. */
  readonly verifies: (fields: RecordFields) => boolean;
  /** Decodes a record and hashes the result. @throws when it does not hash to its id */
  readonly verify: (record: { fields: RecordFields; stored: Buffer }) => Promise<void>;
  /** The records stand elsewhere already, and are to be read from the new packs. */
  readonly relocates?: boolean;
  /** What is left free for others on the file system of the repository. @default 0 */
  readonly reservedBytes?: number;
}

const SPARES_MAX = 2;

interface WrittenPack {
  readonly whole: Buffer;
  readonly temporary: string;
  readonly name: string;
}

/**
 * Appends records to packs: one filling, one being written, one being verified. Records of those are pending: only in
 * memory. Sealed packs are durable, verified and in the catalog, one after the other as they were filled.
 */
export class PackWriter {
  readonly #options: PackWriterOptions;
  readonly #pending = new Map<string, OpenPack>();
  #open: OpenPack;
  /** Memory of packs sealed before, for as many as there are at once besides the one being filled. */
  readonly #spares: Buffer[] = [];
  /** Settles when every pack handed over is written; never rejects. */
  #writing: Promise<unknown> = Promise.resolve();
  /** Settles when every pack handed over is sealed; never rejects. */
  #sealing: Promise<unknown> = Promise.resolve();
  /** The same without the last one. */
  #sealingBefore: Promise<unknown> = Promise.resolve();
  /** Settles when a further pack may be filled. */
  #room: Promise<unknown> = Promise.resolve();
  #failure: { error: unknown } | null = null;
  #sealedBytes = 0;
  readonly #sealed: string[] = [];
  /** Files that have no name as a pack yet. */
  readonly #temporaries = new Set<string>();

  constructor(options: PackWriterOptions) {
    this.#options = options;
    this.#open = this.#newPack();
  }

  has(id: string): boolean {
    return this.#pending.has(id) || this.#options.catalog.has(id);
  }

  pendingRecord(id: string): { fields: RecordFields; stored: Buffer } | null {
    const pack = this.#pending.get(id);
    return pack?.record(id) ?? null;
  }

  /** Names of the packs written so far. */
  get sealed(): readonly string[] {
    return this.#sealed;
  }

  /** Bytes of packs written and being filled. */
  get addedBytes(): number {
    return this.#sealedBytes + (this.#open.entries.length === 0 ? 0 : this.#open.bytes);
  }

  async append(fields: RecordFields, stored: Buffer): Promise<void> {
    let room: Promise<unknown>;
    do {
      room = this.#room;
      await room;
    } while (room !== this.#room);
    this.#throwFailure();
    const { relocates = false, verifies } = this.#options;
    this.#open.append(fields, stored, { withChecksum: relocates && !verifies(fields) });
    this.#pending.set(fields.id, this.#open);
    if (this.#open.isFull) this.#handOver();
  }

  /** Seals what is open and waits for everything. @throws the first failure of any seal */
  async flush(): Promise<void> {
    if (this.#open.entries.length > 0) this.#handOver();
    await this.#sealing;
    this.#throwFailure();
  }

  /**
   * Waits for the packs handed over; what is still being filled is dropped with the writer. What was written and not
   * sealed is removed: a disk that is full of it would have no room to say so.
   */
  async idle(): Promise<void> {
    await this.#sealing;
    for (const temporary of this.#temporaries) {
      // Where it cannot be removed, the next writer tries again.
      await removeDurably(temporary).catch(() => {});
      this.#temporaries.delete(temporary);
    }
  }

  #newPack(): OpenPack {
    return new OpenPack(this.#options.owner, () => this.#spares.pop() ?? null);
  }

  #handOver(): void {
    const pack = this.#open;
    this.#open = this.#newPack();
    this.#room = this.#sealingBefore;
    this.#sealingBefore = this.#sealing;
    const writing = this.#after([this.#writing], () => this.#write(pack));
    const sealing = [this.#sealing, writing];
    this.#writing = writing;
    this.#sealing = this.#after(sealing, async () => this.#seal(pack, (await writing)!));
  }

  /** Runs a step of a pack after others; null where it failed, or one before it. */
  async #after<Result>(
    others: readonly Promise<unknown>[],
    step: () => Promise<Result>,
  ): Promise<Result | null> {
    await Promise.all(others);
    if (this.#failure !== null) return null;
    try {
      return await step();
    } catch (error) {
      this.#failure ??= { error };
      return null;
    }
  }

  #throwFailure(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** docs/format.md, order of writes, 1. */
  async #write(pack: OpenPack): Promise<WrittenPack> {
    const { layout, reservedBytes = 0 } = this.#options;
    const whole = pack.finish();
    if (reservedBytes > 0) {
      await requireFreeSpace(layout.root, whole.length + reservedBytes, 'store more in');
    }
    const temporary = join(layout.temporary, `${randomBytes(8).toString('hex')}.pack`);
    this.#temporaries.add(temporary);
    return { whole, temporary, name: await writeWhole(temporary, whole) };
  }

  /** The same, 2. */
  async #seal(pack: OpenPack, { whole, temporary, name }: WrittenPack): Promise<void> {
    const { layout, owner, catalog, verifies, verify } = this.#options;
    const { entries, checksums } = pack;
    const { keys } = layout;
    await verifyPackFile(temporary, { whole, entries, checksums, owner, keys, verifies, verify });
    await makeDirectory(packDirectory(layout, name));
    await this.#clearPlace(name);
    await renameDurably(temporary, packPath(layout, name));
    this.#temporaries.delete(temporary);
    catalog.addPack(name, whole.length, entries, {
      relocates: this.#options.relocates === true,
    });
    this.#sealed.push(name);
    this.#sealedBytes += whole.length;
    for (const { id } of entries) this.#pending.delete(id);
    if (pack.memory !== null && this.#spares.length < SPARES_MAX) this.#spares.push(pack.memory);
  }

  /** What stands there is this very pack, or what is left of it; or another one that somebody put there. */
  async #clearPlace(name: string): Promise<void> {
    const { layout, owner } = this.#options;
    const path = packPath(layout, name);
    if (!existsSync(path)) return;
    const standing = await readFile(path);
    if (createHash('sha256').update(standing).digest('hex') === name) return;
    if (packIndexOf(owner, standing) !== null) await setAside(layout, path);
  }
}

/** What is written at once while there is a bound on writing. */
const PIECE_BYTES = 256 * 1024;

/** Writes a new file durably. @returns its name as a pack: the SHA-256 of all its bytes */
async function writeWhole(temporary: string, whole: Buffer): Promise<string> {
  const handle = await open(temporary, 'wx', 0o600);
  try {
    await durableStep('write', temporary, () => writeBytes(handle, whole));
    // Hashed once it was written; what is read back afterwards is compared with the same memory.
    const hashing = bytePool().run({ kind: 'hash', bytes: whole });
    hashing.catch(() => {});
    await syncFile(handle, temporary);
    return (await hashing).id!;
  } finally {
    await handle.close();
  }
}

async function writeBytes(handle: FileHandle, whole: Buffer): Promise<void> {
  const pieceBytes = isWriteLimited() ? PIECE_BYTES : whole.length;
  let bytesWritten = 0;
  while (bytesWritten < whole.length) {
    const piece = whole.subarray(bytesWritten, bytesWritten + pieceBytes);
    await beforeWrite(piece.length);
    const written = (await handle.write(piece)).bytesWritten;
    bytesWritten += written;
    if (written < piece.length) break;
  }
  if (bytesWritten !== whole.length) {
    throw cannot('NO_SPACE', 'write', 'pack', `${bytesWritten} of ${whole.length} bytes written`, {
      hint: 'Free some space and try again.',
      retryable: true,
    });
  }
}
