import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { systemCode } from '../../kernel/errors.ts';
import { damaged } from './archive-refusal.ts';
import { feed } from './feed-stream.ts';

const MESSAGE_BYTES_MAX = 4096;

/** A program of the system that is running and reads what it is to compress or decompress. */
export type CodingProgram = ChildProcessWithoutNullStreams;

/** null: there is no such program. */
export async function startProgram(
  program: string,
  options: readonly string[],
): Promise<CodingProgram | null> {
  const child = spawn(program, options, { stdio: 'pipe' });
  try {
    await once(child, 'spawn');
    return child;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Reads `source` through a program, which does not outlive the reading. @throws VERIFY_FAILED when it fails */
export async function* throughProgram(
  source: AsyncIterable<Uint8Array>,
  child: CodingProgram,
): AsyncGenerator<Buffer, void> {
  let message = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    message = (message + text).slice(0, MESSAGE_BYTES_MAX);
  });
  const ended = new Promise<number>((resolve) => {
    child.once('close', (code) => resolve(code ?? -1));
  });
  const fed = feed(source, child.stdin);
  try {
    for await (const piece of child.stdout) yield piece as Buffer;
    checkEnding(await fed, await ended, message);
  } finally {
    child.kill('SIGKILL');
    child.stdin.destroy();
    await fed;
    await ended;
  }
}

/** The source's own failure comes first: the program saw only that its input ended. */
function checkEnding(feedingFailure: unknown, exitCode: number, message: string): void {
  if (feedingFailure !== null) throw feedingFailure;
  if (exitCode === 0) return;
  const state = message.trim().split('\n')[0] || `the program ended with ${exitCode}`;
  throw damaged('zstd', `its compressed bytes cannot be decoded: ${state}`);
}
