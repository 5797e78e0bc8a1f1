import { readFile } from 'node:fs/promises';

/** Tells one run of the kernel from another; null where the system does not say. */
export async function readBootId(): Promise<string | null> {
  const text = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => null);
  return text === null ? null : text.trim();
}
