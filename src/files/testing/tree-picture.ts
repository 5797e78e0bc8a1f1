import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** Everything that can be seen of a directory: path → type, mode, time (microseconds), and content or target. */
export async function pictureOf(
  root: string,
  options: { readonly times?: boolean } = {},
): Promise<Record<string, string>> {
  const picture: Record<string, string> = {};
  const walk = async (path: string, name: string): Promise<void> => {
    const status = await lstat(path, { bigint: true });
    const mode = (Number(status.mode) & 0o7777).toString(8);
    const time = options.times === false ? '' : ` ${status.mtimeNs / 1000n}`;
    if (status.isSymbolicLink()) {
      picture[name] = `symlink${time} ${await readlink(path)}`;
    } else if (status.isDirectory()) {
      picture[name] = `directory ${mode}${time}`;
      for (const child of (await readdir(path)).sort()) {
        await walk(join(path, child), `${name}/${child}`);
      }
    } else {
      const hash = createHash('sha256').update(await readFile(path));
      picture[name] = `file ${mode}${time} ${hash.digest('hex').slice(0, 16)}`;
    }
  };
  await walk(root, '.');
  return picture;
}
