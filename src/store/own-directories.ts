import { makeDirectory } from '../files/durable.ts';
import type { Layout } from './layout.ts';

/** Those that a repository may lack: it was copied without its empty folders, or is of before. */
export async function makeOwnDirectories(layout: Layout): Promise<void> {
  for (const directory of ['temporary', 'setAside', 'notes', 'removed', 'leases'] as const) {
    await makeDirectory(layout[directory]);
  }
}
