import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../kernel/clock.ts';
import { initRepository, type SlotMaterial } from '../repository.ts';
import { scratchFolder } from './scratch-repository.ts';

export const testKey: SlotMaterial = { kind: 'keyFile', bytes: Buffer.alloc(32, 0x5a) };

/** Of a scenario in a process of its own: its repository is encrypted with `testKey`. */
export const ENCRYPTED_VARIABLE = 'HOLDFAST_TEST_ENCRYPTED';

/** A new, empty, encrypted repository that `dispose` removes. */
export async function encryptedRepository(): Promise<{ path: string; dispose(): Promise<void> }> {
  const folder = await scratchFolder();
  const path = join(folder.path, 'repository');
  await initRepository(path, { clock: systemClock, key: testKey });
  return { path, dispose: folder.dispose };
}

/** Every file below a folder; names as well as contents are to be looked at. */
export async function allFiles(directory: string): Promise<{ path: string; bytes: Buffer }[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files: { path: string; bytes: Buffer }[] = [];
  for (const entry of entries.filter((each) => each.isFile())) {
    const path = join(entry.parentPath, entry.name);
    // What is written and renamed meanwhile is seen under its other name.
    const bytes = await readFile(path).catch(() => Buffer.alloc(0));
    files.push({ path, bytes });
  }
  return files;
}

/** Where any of the texts stands in the open, in UTF-8 or UTF-16, as hex or as base64 at any offset. */
export function findPlanted(
  files: readonly { path: string; bytes: Buffer }[],
  planted: readonly string[],
): string[] {
  const needles = planted.flatMap((text) => {
    const utf8 = Buffer.from(text);
    const bases = [0, 1, 2].map((shift) => {
      const shifted = Buffer.concat([Buffer.alloc(shift), utf8]).toString('base64');
      // The first and the last digits depend on what stands around it.
      return Buffer.from(shifted.slice(4, shifted.length - 4));
    });
    return [utf8, Buffer.from(text, 'utf16le'), Buffer.from(utf8.toString('hex')), ...bases];
  });
  return files
    .filter(({ path, bytes }) =>
      needles.some((needle) => bytes.includes(needle) || path.includes(needle.toString())),
    )
    .map(({ path }) => path);
}
