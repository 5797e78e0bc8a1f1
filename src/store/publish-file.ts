import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { renameDurably, syncFile } from '../files/durable.ts';
import { durableStep } from '../files/durable-steps.ts';
import type { Layout } from './layout.ts';

/** Writes `bytes` in `tmp/`, then gives them their name: after a crash the old file or the new one is there. */
export async function publishFile(layout: Layout, path: string, bytes: Buffer): Promise<void> {
  const temporary = join(layout.temporary, `${randomBytes(8).toString('hex')}.${basename(path)}`);
  const handle = await open(temporary, 'wx', 0o600);
  try {
    await durableStep('write', temporary, () => handle.writeFile(bytes));
    await syncFile(handle, temporary);
  } finally {
    await handle.close();
  }
  await renameDurably(temporary, path);
}
