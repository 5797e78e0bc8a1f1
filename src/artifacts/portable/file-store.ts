import { constants, createReadStream } from 'node:fs';
import { type FileHandle, lstat, open, readdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import {
  makeDirectory,
  removeDurably,
  renameDurably,
  syncFile,
  TEMPORARY_NAME,
  temporaryPath,
  writeFileDurably,
} from '../../files/durable.ts';
import { durableStep } from '../../files/durable-steps.ts';
import { resolveBelow } from '../../files/safe-path.ts';
import type { Activity } from '../../kernel/activity.ts';
import { cannot, systemCode } from '../../kernel/errors.ts';
import type { AliasTarget, ArtifactStore, StoredArtifact } from './artifact-store.ts';
import { refuseAtGate } from './gate-refusal.ts';
import { MANIFEST_BYTES_MAX, MANIFEST_SUFFIX } from './manifest.ts';
import { checkAlias, isReference, PAYLOAD_SUFFIX, partsOfName } from './reference.ts';

const ALIAS_BYTES_MAX = 4096;
const ALIASES_MAX = 1000;
const DEPTH_MAX = 8;
const READ_BLOCK_BYTES = 256 * 1024;
/** A temporary file that nobody has written to for so long is nobody's any more. */
const LEFTOVER_AGE_MS = 24 * 3_600_000;

const aliasSchema = z.strictObject({
  format: z.literal(1),
  ref: z.string().max(400),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
});

/** A directory: docs/artifacts.md. */
export class FileArtifactStore implements ArtifactStore {
  readonly description: string;
  readonly #root: string;

  constructor(path: string) {
    this.#root = path;
    this.description = path;
  }

  async put(
    reference: string,
    payload: AsyncIterable<Uint8Array>,
    manifestText: string,
    { signal }: Activity,
  ): Promise<'stored' | 'present'> {
    const path = await this.#pathOf(requireReference(reference));
    await makeDirectory(dirname(path));
    await removeLeftovers(dirname(path));
    const before = await readSmall(`${path}${MANIFEST_SUFFIX}`, MANIFEST_BYTES_MAX);
    if (before === manifestText) return 'present';
    if (before !== null) {
      throw cannot('IN_USE', 'store artifact', reference, 'another one has this reference', {
        hint: 'Nothing in a store is ever written over.',
      });
    }
    await writePayload(path, payload, signal);
    await writeFileDurably(`${path}${MANIFEST_SUFFIX}`, manifestText);
    return 'stored';
  }

  async get(reference: string): Promise<StoredArtifact> {
    const path = await this.#pathOf(requireReference(reference));
    const manifestText = await readSmall(`${path}${MANIFEST_SUFFIX}`, MANIFEST_BYTES_MAX);
    if (manifestText === null) throw this.#missing('artifact', reference);
    return { reference, manifestText, payload: () => readPayload(path, reference) };
  }

  async exists(reference: string): Promise<boolean> {
    const path = await this.#pathOf(requireReference(reference));
    return (await sizeOf(`${path}${MANIFEST_SUFFIX}`)) !== null && (await sizeOf(path)) !== null;
  }

  async list(): Promise<string[]> {
    const names = await this.#names();
    const suffix = `${PAYLOAD_SUFFIX}${MANIFEST_SUFFIX}`;
    const references = names
      .filter((name) => name.endsWith(suffix))
      .map((name) => name.slice(0, -MANIFEST_SUFFIX.length));
    // The time stands behind the prefix: newest first, whatever the prefixes are.
    const timeOf = (reference: string): string => reference.slice(reference.lastIndexOf('/') + 1);
    return references.sort((left, right) => {
      const [leftTime, rightTime] = [timeOf(left), timeOf(right)];
      if (leftTime !== rightTime) return leftTime < rightTime ? 1 : -1;
      return left < right ? -1 : 1;
    });
  }

  async setAlias(alias: string, { ref, digest }: AliasTarget): Promise<void> {
    const path = await this.#pathOf(checkAlias(alias));
    requireReference(ref);
    await makeDirectory(dirname(path));
    await removeLeftovers(dirname(path));
    await writeFileDurably(path, `${JSON.stringify({ format: 1, ref, digest })}\n`);
  }

  async readAlias(alias: string): Promise<AliasTarget> {
    const path = await this.#pathOf(checkAlias(alias));
    const text = await readSmall(path, ALIAS_BYTES_MAX);
    if (text === null) throw this.#missing('alias', alias);
    return parseAlias(text, alias);
  }

  async aliases(): Promise<ReadonlyMap<string, AliasTarget>> {
    const found = new Map<string, AliasTarget>();
    for (const name of await this.#names()) {
      if (isReference(name) || name.endsWith(MANIFEST_SUFFIX) || found.size >= ALIASES_MAX)
        continue;
      const target = await this.readAlias(name).catch(() => null);
      if (target !== null) found.set(name, target);
    }
    return found;
  }

  #missing(what: string, name: string): Error {
    return cannot('NOT_FOUND', `find ${what}`, name, `there is none in ${this.#root}`, {
      hint: 'holdfast artifact list shows what there is.',
    });
  }

  /** @throws PATH_UNSAFE where a symlink stands on the way */
  async #pathOf(parts: readonly string[]): Promise<string> {
    return (await resolveBelow(this.#root, parts)).path;
  }

  /** Of every file, relative to the root. Symlinks are not followed. */
  async #names(): Promise<string[]> {
    const names: string[] = [];
    const walk = async (directory: string, prefix: string, depth: number): Promise<void> => {
      for (const entry of await entriesOf(directory)) {
        const name = `${prefix}${entry.name}`;
        if (entry.isFile() && !entry.name.startsWith('.')) names.push(name);
        if (!entry.isDirectory() || depth >= DEPTH_MAX) continue;
        await walk(join(directory, entry.name), `${name}/`, depth + 1);
      }
    };
    await walk(this.#root, '', 1);
    return names;
  }
}

function requireReference(reference: string): string[] {
  const parts = partsOfName(reference);
  if (isReference(reference)) return parts;
  throw cannot('PATH_UNSAFE', 'use reference', reference, `it does not end in ${PAYLOAD_SUFFIX}`);
}

function parseAlias(text: string, alias: string): AliasTarget {
  try {
    const { ref, digest } = aliasSchema.parse(JSON.parse(text));
    requireReference(ref);
    return { ref, digest };
  } catch {
    throw refuseAtGate('manifest', alias, 'what it stands for cannot be read');
  }
}

async function entriesOf(directory: string) {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    const status = await lstat(path);
    return status.isFile() ? status.size : null;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Null where there is no such file. @throws LIMIT_EXCEEDED */
async function readSmall(path: string, bytesMax: number): Promise<string | null> {
  const bytes = await sizeOf(path);
  if (bytes === null) return null;
  if (bytes > bytesMax) {
    throw cannot('LIMIT_EXCEEDED', 'read', path, `it is larger than ${bytesMax} bytes`);
  }
  const handle = await openOrNull(path);
  if (handle === null) return null;
  try {
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

async function openOrNull(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
}

async function* readPayload(path: string, reference: string): AsyncIterable<Uint8Array> {
  const handle = await openOrNull(path);
  if (handle === null) throw refuseAtGate('checksum', reference, 'its payload is missing');
  yield* createReadStream(path, { fd: handle, highWaterMark: READ_BLOCK_BYTES });
}

async function writePayload(
  path: string,
  payload: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const temporary = temporaryPath(path);
  const handle = await open(temporary, 'wx', 0o600);
  try {
    try {
      for await (const block of payload) {
        signal.throwIfAborted();
        await durableStep('write', path, () => handle.writeFile(block));
      }
      await syncFile(handle, path);
    } finally {
      await handle.close();
    }
    await renameDurably(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  }
}

/** Of writers that were killed. By the file system's own clock, since it may be another host's. */
async function removeLeftovers(directory: string): Promise<void> {
  const names = (await entriesOf(directory)).map(({ name }) => name);
  const { mtimeMs: nowMs } = await lstat(directory);
  for (const name of names.filter((each) => TEMPORARY_NAME.test(each))) {
    const path = join(directory, name);
    const status = await lstat(path).catch(() => null);
    if (status !== null && nowMs - status.mtimeMs > LEFTOVER_AGE_MS) await removeDurably(path);
  }
}
