import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory, TEMPORARY_NAME } from '../../files/durable.ts';
import { durableStep } from '../../files/durable-steps.ts';
import type { Layout } from '../layout.ts';

/** Removes what interrupted work left behind; returns how many files. Only under the writer's lock. */
export async function cleanTemporary(layout: Layout): Promise<number> {
  const inside = (await readdir(layout.temporary)).map((name) => join(layout.temporary, name));
  const beside = (await readdir(layout.root))
    .filter((name) => TEMPORARY_NAME.test(name))
    .map((name) => join(layout.root, name));
  for (const path of [...inside, ...beside]) {
    await durableStep('unlink', path, () => rm(path, { recursive: true }));
  }
  if (inside.length > 0) await syncDirectory(layout.temporary);
  return inside.length + beside.length;
}
