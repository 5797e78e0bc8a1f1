import { randomBytes } from 'node:crypto';
import { basename, join } from 'node:path';
import { renameDurably } from '../files/durable.ts';
import type { Layout } from './layout.ts';

/** Moves a file to `set-aside/` under a name that is free, and returns it. */
export async function setAside(layout: Layout, path: string): Promise<string> {
  const target = join(layout.setAside, `${basename(path)}.${randomBytes(4).toString('hex')}`);
  await renameDurably(path, target);
  return target;
}
