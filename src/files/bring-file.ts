import { constants } from 'node:fs';
import { chown, copyFile, link, open } from 'node:fs/promises';
import { systemCode } from '../kernel/errors.ts';
import { syncFile } from './durable.ts';
import { durableStep } from './durable-steps.ts';

const CANNOT_LINK: ReadonlySet<string | undefined> = new Set([
  'EXDEV',
  'EPERM',
  'EMLINK',
  'ENOTSUP',
  'EOPNOTSUPP',
]);

/** The very file, where both names can stand on one file system; else a copy. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await durableStep('link', to, () => link(from, to));
  } catch (error) {
    if (!CANNOT_LINK.has(systemCode(error))) throw error;
    await durableStep('write', to, () => copyFile(from, to, constants.COPYFILE_FICLONE));
  }
}

/**
 * Brings a finished file under a new name, beside what it is to replace: with this mode and owner, content durable. The
 * name itself is durable once its directory was synced. `from` may be the same file afterwards, and is not written any more.
 */
export async function bringFile(
  from: string,
  to: string,
  { mode, uid, gid }: { readonly mode: number; readonly uid: number; readonly gid: number },
): Promise<void> {
  await linkOrCopy(from, to);
  // Only root may give files away.
  if (process.getuid?.() === 0) await chown(to, uid, gid);
  const handle = await open(to, 'r+');
  try {
    await handle.chmod(mode & 0o7777);
    await syncFile(handle, to);
  } finally {
    await handle.close();
  }
}
