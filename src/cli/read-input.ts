import { open } from 'node:fs/promises';
import { cannot, messageOf, systemCode } from '../kernel/errors.ts';
import type { CommandContext } from './context.ts';

/** A file's text, or that of stdin for `-`. @throws NOT_FOUND, IO_ERROR, LIMIT_EXCEEDED */
export async function readInput(
  { terminal }: Pick<CommandContext, 'terminal'>,
  path: string,
  bytesMax: number,
): Promise<string> {
  const text = path === '-' ? await terminal.read(bytesMax) : await readFileText(path, bytesMax);
  if (Buffer.byteLength(text) <= bytesMax) return text;
  throw cannot('LIMIT_EXCEEDED', 'read', path, `it is larger than ${bytesMax} bytes`);
}

async function readFileText(path: string, bytesMax: number): Promise<string> {
  try {
    const handle = await open(path, 'r');
    try {
      const { size } = await handle.stat();
      if (size > bytesMax) return 'x'.repeat(bytesMax + 1);
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = systemCode(error) === 'ENOENT' ? 'NOT_FOUND' : 'IO_ERROR';
    throw cannot(code, 'read', path, messageOf(error), { cause: error });
  }
}
