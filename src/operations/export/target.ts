import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFile } from '../../files/durable.ts';
import { chooseStagingDirectory, removeStaging } from '../../files/staging.ts';
import { writeAll } from '../../files/write-all.ts';
import type { Activity } from '../../kernel/activity.ts';
import type { OperationContext } from '../operation.ts';
import type { ExportTo } from './parameters.ts';
import { closedPlaces, putInPlace, requirePlace } from './place.ts';
import { connectReceiver, type Receiver } from './receiver.ts';

/** What became of an export. */
export interface Sealed {
  /** Null: it went to whoever waited for it. */
  readonly path: string | null;
  readonly bytes: number;
  /** Of the whole content, lower-case hex. */
  readonly sha256: string;
}

/** Where the bytes of an export go. Nothing is seen of them before they are sealed, unless somebody waits for them. */
export interface ExportTarget {
  /** A new file here becomes the content, where nothing is written. */
  readonly filePath: string;
  /** The content, piece by piece; once. */
  write(pieces: AsyncIterable<Uint8Array | string>): Promise<void>;
  /** Makes the content durable under its name, or sends what was not sent yet. */
  seal(): Promise<Sealed>;
  /** Leaves nothing behind that was not sealed. */
  close(): Promise<void>;
}

export interface TargetRequest {
  readonly to: ExportTo;
  readonly overwrite: boolean;
  readonly isDatabase: boolean;
  /** The content must be whole, and proven, before the first byte of it is sent. */
  readonly spool: boolean;
}

export function openTarget(
  context: OperationContext,
  request: TargetRequest,
): Promise<ExportTarget> {
  return request.to.type === 'file'
    ? FileTarget.open(context, { ...request, path: request.to.path })
    : SocketTarget.open(context, request.to.path, request.spool);
}

class FileTarget implements ExportTarget {
  readonly filePath: string;
  readonly #place: string;
  readonly #overwrite: boolean;
  readonly #staging: string;
  readonly #context: OperationContext;
  #digest: Digest | null = null;

  private constructor(
    context: OperationContext,
    place: { readonly path: string; readonly overwrite: boolean; readonly staging: string },
  ) {
    this.#context = context;
    this.#place = place.path;
    this.#overwrite = place.overwrite;
    this.#staging = place.staging;
    this.filePath = join(place.staging, 'export');
  }

  static async open(
    context: OperationContext,
    request: TargetRequest & { readonly path: string },
  ): Promise<FileTarget> {
    const { settings } = context;
    const { overwrite } = request;
    const path = await requirePlace(settings, request);
    // On the file system of the place; whatever ends this process, the next one removes it.
    const staging = await chooseStagingDirectory(
      path,
      closedPlaces(settings),
      settings.stateDirectory,
    );
    return new FileTarget(context, { path, overwrite, staging });
  }

  async write(pieces: AsyncIterable<Uint8Array | string>): Promise<void> {
    this.#digest = await writeFile(this.filePath, pieces, this.#context.activity);
  }

  async seal(): Promise<Sealed> {
    const { activity } = this.#context;
    activity.progress({ phase: 'seal' });
    const { bytes, sha256 } = this.#digest ?? (await digestOf(this.filePath, activity));
    activity.signal.throwIfAborted();
    await putInPlace(this.filePath, this.#place, this.#overwrite);
    return { path: this.#place, bytes, sha256 };
  }

  close(): Promise<void> {
    return removeStaging(this.#staging, this.#context.settings.stateDirectory);
  }
}

class SocketTarget implements ExportTarget {
  readonly filePath: string;
  readonly #receiver: Receiver;
  readonly #spool: boolean;
  readonly #activity: Activity;
  #digest: Digest | null = null;

  private constructor(receiver: Receiver, context: OperationContext, spool: boolean) {
    this.#receiver = receiver;
    this.#spool = spool;
    this.#activity = context.activity;
    this.filePath = join(context.scratchDirectory, 'export');
  }

  static async open(
    context: OperationContext,
    path: string,
    spool: boolean,
  ): Promise<SocketTarget> {
    return new SocketTarget(await connectReceiver(path, context.activity.signal), context, spool);
  }

  async write(pieces: AsyncIterable<Uint8Array | string>): Promise<void> {
    if (this.#spool) await writeFile(this.filePath, pieces, this.#activity);
    else this.#digest = await this.#send(pieces);
  }

  async #send(pieces: AsyncIterable<Uint8Array | string>): Promise<Digest> {
    const digest = new RunningDigest(this.#activity);
    for await (const piece of pieces) await this.#receiver.send(digest.add(piece));
    return digest.end();
  }

  async seal(): Promise<Sealed> {
    this.#digest ??= await this.#send(createReadStream(this.filePath, { highWaterMark: 1 << 20 }));
    await this.#receiver.end();
    return { path: null, ...this.#digest };
  }

  async close(): Promise<void> {
    this.#receiver.close();
    await rm(this.filePath, { force: true });
  }
}

interface Digest {
  readonly bytes: number;
  readonly sha256: string;
}

class RunningDigest {
  readonly #hash: Hash = createHash('sha256');
  readonly #activity: Activity;
  #bytes = 0;

  constructor(activity: Activity) {
    this.#activity = activity;
  }

  add(piece: Uint8Array | string): Uint8Array {
    this.#activity.signal.throwIfAborted();
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
    return bytes;
  }

  end(): Digest {
    return { bytes: this.#bytes, sha256: this.#hash.digest('hex') };
  }
}

async function writeFile(
  path: string,
  pieces: AsyncIterable<Uint8Array | string>,
  activity: Activity,
): Promise<Digest> {
  const digest = new RunningDigest(activity);
  const handle = await open(path, 'wx', 0o600);
  try {
    for await (const piece of pieces) await writeAll(handle, digest.add(piece));
    await syncFile(handle, path);
  } finally {
    await handle.close();
  }
  return digest.end();
}

async function digestOf(path: string, activity: Activity): Promise<Digest> {
  const digest = new RunningDigest(activity);
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) digest.add(piece);
  return digest.end();
}
