import { readFile } from 'node:fs/promises';
import { messageOf, systemCode } from '../../kernel/errors.ts';
import type { Layout } from '../layout.ts';
import { publishFile } from '../publish-file.ts';
import { decodeHead, encodeHead, type Head } from './head.ts';

export type HeadReading =
  | { readonly head: Head }
  /** `state`: what is wrong with it. */
  | { readonly head: null; readonly state: 'missing' | 'damaged'; readonly message: string };

/** Null where there is none. */
export async function readHeadBytes({ head: path }: Layout): Promise<Buffer | null> {
  return readFile(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  });
}

/** What is wrong with it is a finding, not an error. */
export function openHead({ keys }: Layout, bytes: Buffer | null): HeadReading {
  if (bytes === null) return { head: null, state: 'missing', message: 'there is none' };
  try {
    return { head: decodeHead(keys!, bytes) };
  } catch (error) {
    return { head: null, state: 'damaged', message: messageOf(error) };
  }
}

/** The head of an encrypted repository. */
export async function readHead(layout: Layout): Promise<HeadReading> {
  return openHead(layout, await readHeadBytes(layout));
}

/** Durable when it returns. */
export async function writeHead(layout: Layout, head: Head): Promise<void> {
  await publishFile(layout, layout.head, encodeHead(layout.keys!, head));
}
