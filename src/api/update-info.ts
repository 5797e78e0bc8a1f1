import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { cannot, messageOf, systemCode } from '../kernel/errors.ts';
import { updateNotice } from '../protocol/daemon.ts';
import type { MethodResult } from '../protocol/method-map.ts';

const FILE = 'update.json';
const FILE_BYTES_MAX = 64 * 1024;

/** @throws CONFIG_INVALID when the file is not what it should be; IO_ERROR */
export async function updateInfo(
  stateDirectory: string,
  version: string,
): Promise<MethodResult<'daemon.updateInfo'>> {
  const path = join(stateDirectory, FILE);
  const text = await readText(path);
  if (text === null) return { version, available: null, newer: false };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(path, messageOf(error));
  }
  const { data, error } = updateNotice.safeParse(value);
  if (data === undefined) throw invalid(path, error.issues[0]?.message ?? 'it is no notice');
  return { version, available: data, newer: isNewer(data.version, version) };
}

async function readText(path: string): Promise<string | null> {
  try {
    const { size } = await stat(path);
    if (size > FILE_BYTES_MAX) throw invalid(path, `it has ${size} bytes`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
}

const invalid = (path: string, state: string): Error =>
  cannot('CONFIG_INVALID', 'read', path, state, {
    hint: 'It holds {"version": "1.2.3", "url": …, "notes": …}; remove it where there is no news.',
  });

/** By the numbers before any hyphen; what has none is newer where it differs. */
export function isNewer(available: string, current: string): boolean {
  const numbers = (text: string): number[] =>
    text
      .replace(/^v/, '')
      .split('-')[0]!
      .split('.')
      .map((part) => Number.parseInt(part, 10));
  const [left, right] = [numbers(available), numbers(current)];
  if ([...left, ...right].some(Number.isNaN)) return available !== current;
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}
