import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { ArtifactSettings } from '../../config/artifact-settings.ts';
import { removeDurably, syncFile } from '../../files/durable.ts';
import { durableStep } from '../../files/durable-steps.ts';
import type { Activity } from '../../kernel/activity.ts';
import { requireModel, requireSchema } from './compatibility.ts';
import { refuseAtGate } from './gate-refusal.ts';
import { type ArtifactManifest, parseManifest } from './manifest.ts';
import { type ArtifactKey, requireSignature } from './signature.ts';

/** An artifact as it was found: nothing about it is believed yet. */
export interface FoundArtifact {
  /** For messages: its reference, or the path of its payload. */
  readonly name: string;
  readonly manifestText: string;
  /** What an alias said of the manifest; null where none was followed. */
  readonly digest: string | null;
  payload(): AsyncIterable<Uint8Array>;
}

export interface VerifyOptions {
  readonly keys: readonly ArtifactKey[];
  /** What it must fit; null: the gates `model` and `schema` are not asked. */
  readonly settings: ArtifactSettings | null;
  /** A newer schema is accepted. */
  readonly force: boolean;
  /** Where the payload is copied to while it is read: a new file, 0600, gone again on failure; null: nowhere. */
  readonly copyTo: string | null;
  readonly activity: Activity;
}

/** Takes an artifact through all gates. @throws VERIFY_FAILED with `details.gate`, SCHEMA_TOO_NEW */
export async function verifyArtifact(
  artifact: FoundArtifact,
  { keys, settings, force, copyTo, activity }: VerifyOptions,
): Promise<ArtifactManifest> {
  const { name, manifestText, digest } = artifact;
  const manifest = parseManifest(manifestText, name);
  if (digest !== null && digest !== manifest.digest) {
    throw refuseAtGate('manifest', name, 'it is not the one that the alias stands for');
  }
  requireSignature(manifest, keys, name);
  const accept = (): void => {
    if (settings === null) return;
    requireModel(manifest, settings, name);
    requireSchema(manifest, settings, name, force);
  };
  await requireChecksum(artifact, manifest, copyTo, activity, accept);
  return manifest;
}

/** The gate `checksum`, and then `next`: a copy stays only where both let it pass. */
async function requireChecksum(
  artifact: FoundArtifact,
  manifest: ArtifactManifest,
  copyTo: string | null,
  activity: Activity,
  next: () => void,
): Promise<void> {
  const handle = copyTo === null ? null : await open(copyTo, 'wx', 0o600);
  let isAccepted = false;
  try {
    await readThrough(artifact, manifest, activity, async (block) => {
      if (handle !== null) await durableStep('write', copyTo!, () => handle.writeFile(block));
    });
    next();
    if (handle !== null) await syncFile(handle, copyTo!);
    isAccepted = true;
  } finally {
    await handle?.close();
    if (handle !== null && !isAccepted) await removeDurably(copyTo!);
  }
}

async function readThrough(
  { name, payload }: FoundArtifact,
  { bytes: totalBytes, checksum }: ArtifactManifest,
  activity: Activity,
  take: (block: Uint8Array) => Promise<void>,
): Promise<void> {
  const hash = createHash('sha256');
  let bytesDone = 0;
  for await (const block of payload()) {
    activity.signal.throwIfAborted();
    bytesDone += block.length;
    // No more than was announced is ever taken in.
    if (bytesDone > totalBytes) {
      throw refuseAtGate('checksum', name, `its payload is longer than ${totalBytes} bytes`);
    }
    hash.update(block);
    await take(block);
    activity.progress({ phase: 'read artifact', currentFile: name, bytesDone, totalBytes });
  }
  if (bytesDone < totalBytes) {
    throw refuseAtGate('checksum', name, `its payload has ${bytesDone} bytes, not ${totalBytes}`);
  }
  if (`sha256:${hash.digest('hex')}` === checksum) return;
  throw refuseAtGate('checksum', name, 'its payload does not have the checksum of its manifest');
}
