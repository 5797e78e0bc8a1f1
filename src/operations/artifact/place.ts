import { lstat, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MANIFEST_SUFFIX } from '../../artifacts/portable/manifest.ts';
import { bringFile } from '../../files/bring-file.ts';
import {
  removeDurably,
  renameDurably,
  temporaryPath,
  writeFileDurably,
} from '../../files/durable.ts';
import { requireFreeSpace } from '../../files/free-space.ts';
import { isInside, realpathOfPlanned } from '../../files/safe-path.ts';
import { cannot, systemCode } from '../../kernel/errors.ts';
import { type OperationContext, ownPaths } from '../operation.ts';

/** Where an artifact goes that leaves as a file, with its manifest beside it. */

async function stands(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Before any work. @throws PATH_NOT_FOUND, PATH_UNSAFE, TARGET_NOT_EMPTY unless `overwrite` */
export async function requirePlace(
  { settings }: OperationContext,
  to: string,
  overwrite: boolean,
): Promise<void> {
  const directory = await stat(dirname(to)).catch(() => null);
  if (directory?.isDirectory() !== true) {
    throw cannot('PATH_NOT_FOUND', 'write artifact', to, 'its directory does not exist', {
      hint: 'Name a file in a directory that exists and that Holdfast may write to.',
    });
  }
  const place = await realpathOfPlanned(dirname(to));
  const own = ownPaths(settings).find((path) => isInside(place, path));
  // A command without a daemon has its state beside the very file that it writes.
  if (own !== undefined && own !== settings.stateDirectory) {
    throw cannot('PATH_UNSAFE', 'write artifact', to, `it lies inside "${own}"`);
  }
  for (const path of [to, `${to}${MANIFEST_SUFFIX}`]) {
    if (overwrite || !(await stands(path))) continue;
    throw cannot('TARGET_NOT_EMPTY', 'write artifact', path, 'a file stands there already', {
      hint: 'Name another, or overwrite it.',
    });
  }
}

/** A manifest stands beside a payload only if both are whole: the old one goes first, the new one comes last. */
export async function placeArtifact(
  { payloadPath, manifestText }: { readonly payloadPath: string; readonly manifestText: string },
  to: string,
): Promise<void> {
  const { size } = await stat(payloadPath);
  await requireFreeSpace(dirname(to), size, 'write an artifact to');
  const temporary = temporaryPath(to);
  try {
    const owner = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
    await bringFile(payloadPath, temporary, { mode: 0o600, ...owner });
    await removeDurably(`${to}${MANIFEST_SUFFIX}`);
    await renameDurably(temporary, to);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  }
  await writeFileDurably(`${to}${MANIFEST_SUFFIX}`, manifestText);
}
