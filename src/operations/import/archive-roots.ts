import { lchown, lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { rootPrefix } from '../../config/root-paths.ts';
import type { RootSettings, SourceSettings } from '../../config/settings.ts';
import { cannot } from '../../kernel/errors.ts';

/** The roots of the source that the archive holds, as they lie in `tree`. @throws INVALID_PARAMS for anything else in it */
export async function rootsIn(
  tree: string,
  source: SourceSettings,
  from: string,
): Promise<Map<string, RootSettings>> {
  const known = new Map(source.roots.map((root) => [rootPrefix(root), root]));
  const found = new Map<string, RootSettings>();
  for (const name of await readdir(tree)) {
    for (const prefix of await prefixesOf(tree, name)) {
      const root = known.get(prefix);
      const path = join(tree, prefix);
      // Never through a symlink: what it leads to is not the archive's.
      if (root === undefined || !(await isOwnDirectory(path))) throw foreign(from, prefix, source);
      await belongTo(path, root.path);
      found.set(prefix, { ...root, path, required: true });
    }
  }
  if (found.size === 0) throw foreign(from, '', source);
  return found;
}

async function prefixesOf(tree: string, name: string): Promise<string[]> {
  if (name !== 'extra' || !(await isOwnDirectory(join(tree, name)))) return [name];
  return (await readdir(join(tree, name))).map((each) => `${name}/${each}`);
}

const isOwnDirectory = async (path: string): Promise<boolean> => (await lstat(path)).isDirectory();

function foreign(from: string, name: string, source: SourceSettings): Error {
  const state = name === '' ? 'it is empty' : `"${name}" is no root of "${source.name}"`;
  return cannot('INVALID_PARAMS', 'import', from, state, {
    hint: `Say where its files belong, such as --under ${rootPrefix(source.roots[0]!)}.`,
  });
}

/** Archives carry no owners: what is restored in place belongs to whoever the place belongs to. */
async function belongTo(tree: string, live: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(live).catch(() => ({ uid: 0, gid: 0 }));
  if (uid === 0 && gid === 0) return;
  const pending = [tree];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    await lchown(at, uid, gid);
    for (const entry of await readdir(at, { withFileTypes: true })) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) pending.push(path);
      else await lchown(path, uid, gid);
    }
  }
}
