import { readFile, realpath, stat } from 'node:fs/promises';
import { isInside } from './safe-path.ts';

/**
 * Where renames and hard links work: within one mount. Equal device numbers are not enough, since a bind mount
 * shows the same device and still refuses them.
 */
export interface Mount {
  /** Equal for two paths exactly when they lie on the same mount. */
  readonly id: string;
  /** Directory the file system is mounted on; null where the system does not say. */
  readonly point: string | null;
}

/** Mount table names are written with octal escapes for space, tab, newline and backslash (proc(5)). */
function unescapeMountPoint(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

async function mountTable(): Promise<{ id: string; point: string }[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.split(' ');
      return { id: fields[0]!, point: unescapeMountPoint(fields[4]!) };
    });
}

/** The mount of an existing path. */
export async function mountOf(path: string): Promise<Mount> {
  const real = await realpath(path);
  let best: { id: string; point: string } | null = null;
  for (const mount of await mountTable()) {
    // Later lines are mounted over earlier ones of the same point.
    if (isInside(real, mount.point) && mount.point.length >= (best?.point.length ?? 0))
      best = mount;
  }
  const device = (await stat(real)).dev;
  if (best === null) return { id: `device:${device}`, point: null };
  // Subvolumes differ in device number within one mount, and links between them fail.
  return { id: `${best.id}:${device}`, point: best.point };
}

/** True when a rename from one existing directory to the other can work. */
export async function sameMount(left: string, right: string): Promise<boolean> {
  return (await mountOf(left)).id === (await mountOf(right)).id;
}
