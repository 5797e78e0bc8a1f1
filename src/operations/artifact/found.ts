import { createReadStream } from 'node:fs';
import { lstat, readFile } from 'node:fs/promises';
import type { ArtifactStore } from '../../artifacts/portable/artifact-store.ts';
import { MANIFEST_BYTES_MAX, MANIFEST_SUFFIX } from '../../artifacts/portable/manifest.ts';
import { openArtifactStore } from '../../artifacts/portable/open-store.ts';
import { isReference } from '../../artifacts/portable/reference.ts';
import type { FoundArtifact } from '../../artifacts/portable/verify-artifact.ts';
import type { Settings } from '../../config/settings.ts';
import { cannot, messageOf, systemCode } from '../../kernel/errors.ts';

/** Where an artifact comes from: a file, or the store. */
export type ArtifactPlace = { readonly from: string } | { readonly ref: string };

export const storeOf = ({
  artifacts,
  stateDirectory,
}: Pick<Settings, 'artifacts' | 'stateDirectory'>): ArtifactStore =>
  openArtifactStore(artifacts.store, stateDirectory);

const BLOCK_BYTES = 256 * 1024;

async function sizeOf(path: string): Promise<number> {
  try {
    return (await lstat(path)).size;
  } catch (error) {
    const isMissing = systemCode(error) === 'ENOENT';
    const state = isMissing ? 'there is no such file' : messageOf(error);
    throw cannot(isMissing ? 'NOT_FOUND' : 'IO_ERROR', 'read artifact', path, state, {
      hint: `An artifact is a file with its manifest beside it, in <file>${MANIFEST_SUFFIX}.`,
      cause: error,
    });
  }
}

async function findFile(path: string): Promise<FoundArtifact> {
  const manifestPath = `${path}${MANIFEST_SUFFIX}`;
  await sizeOf(path);
  if ((await sizeOf(manifestPath)) > MANIFEST_BYTES_MAX) {
    throw cannot('LIMIT_EXCEEDED', 'read manifest', manifestPath, 'it is far too large');
  }
  return {
    name: path,
    manifestText: await readFile(manifestPath, 'utf8'),
    digest: null,
    payload: () => createReadStream(path, { highWaterMark: BLOCK_BYTES }),
  };
}

/** A reference, or the one that an alias stands for. */
async function findStored(name: string, store: ArtifactStore): Promise<FoundArtifact> {
  const { ref, digest } = isReference(name)
    ? { ref: name, digest: null }
    : await store.readAlias(name);
  const { manifestText, payload } = await store.get(ref);
  return { name: ref, manifestText, digest, payload };
}

/** @throws NOT_FOUND, PATH_UNSAFE, LIMIT_EXCEEDED; VERIFY_FAILED for an alias that cannot be read */
export function findArtifact(place: ArtifactPlace, settings: Settings): Promise<FoundArtifact> {
  return 'from' in place ? findFile(place.from) : findStored(place.ref, storeOf(settings));
}
