import { readFile } from 'node:fs/promises';
import { cannot, systemCode } from '../../kernel/errors.ts';
import { type Layout, layoutOf } from '../layout.ts';
import { type Descriptor, parseDescriptor } from './descriptor.ts';

/** What the repository at `layout` is. @throws REPO_UNINITIALISED, UNSUPPORTED_FORMAT, REPO_CORRUPT */
export async function readDescriptor(layout: Layout): Promise<Descriptor> {
  let bytes: Buffer;
  try {
    bytes = await readFile(layout.descriptor);
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    throw cannot('REPO_UNINITIALISED', 'open repository', layout.root, 'there is none', {
      hint: 'Create it with "holdfast repository init", or check the path.',
      cause: error,
    });
  }
  return parseDescriptor(bytes, layout.descriptor);
}

/** The same for a path, and where its data stand by what it says. No key is needed. @throws as `readDescriptor` */
export async function describedLayout(
  path: string,
): Promise<{ readonly descriptor: Descriptor; readonly layout: Layout }> {
  const descriptor = await readDescriptor(layoutOf(path));
  return { descriptor, layout: layoutOf(path, descriptor.folder) };
}
