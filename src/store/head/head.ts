import { createHash } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { z } from 'zod';
import type { RepositoryKeys } from '../encryption/repository-keys.ts';
import { openDocument, sealDocument } from '../encryption/sealed-document.ts';
import { HEAD_BYTES_MAX } from '../format/bounds.ts';
import { canonicalJson } from '../format/canonical-json.ts';

/** The head of an encrypted repository: what should stand in it (docs/format.md, Head). */

/** A file that is about to appear, change or go; null where there is none. */
export interface HeadChange {
  readonly name: string;
  readonly from: string | null;
  readonly to: string | null;
}

export interface Head {
  /** Drawn when the head was begun; another one where it was begun anew after a step back. */
  readonly line: string;
  /** Grows by one with every change. */
  readonly generation: number;
  /** Digests of the heads before this one, by generation, newest first. */
  readonly history: readonly (readonly [number, string])[];
  /** Name of the file → digest of its bytes; '' for manifests, whose name is a digest. */
  readonly entries: ReadonlyMap<string, string>;
  /** Each of these is done or is not. */
  readonly pending: readonly HeadChange[];
  /** What somebody else had changed, until a person accepts it. */
  readonly altered: readonly string[];
  /** Of the repository that this one was made of. */
  readonly formerId: string | null;
}

/** What one who has seen a head remembers of it, outside of the repository. */
export interface HeadMark {
  readonly repositoryId: string;
  readonly line: string;
  readonly generation: number;
  readonly digest: string;
}

export const HISTORY_MAX = 64;
const DIGEST_DIGITS = 32;

const digest = z.string().regex(/^[0-9a-f]{32}$/);
const generation = z.int().min(1);
const state = z.union([digest, z.literal('')]);
const name = z.string().max(100);

const schema = z.strictObject({
  format: z.literal(1),
  line: digest,
  generation,
  history: z.array(z.tuple([generation, digest])).max(HISTORY_MAX),
  entries: z.record(name, state),
  pending: z.array(z.strictObject({ name, from: state.nullable(), to: state.nullable() })),
  altered: z.array(name),
  formerId: z.uuid().nullable(),
});

export const digestOf = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex').slice(0, DIGEST_DIGITS);

function plainOf(head: Head): Buffer {
  const entries = Object.fromEntries(head.entries);
  return Buffer.from(canonicalJson({ format: 1, ...head, entries }));
}

export function markOf(head: Head, repositoryId: string): HeadMark {
  const { line, generation: number } = head;
  return { repositoryId, line, generation: number, digest: digestOf(plainOf(head)) };
}

/** The bytes of `head.json`. */
export function encodeHead(keys: RepositoryKeys, head: Head): Buffer {
  return sealDocument(keys, 'head', '', deflateRawSync(plainOf(head), { level: 1 }));
}

/** @throws VERIFY_FAILED where it is not a head of this repository as it was written */
export function decodeHead(keys: RepositoryKeys, bytes: Buffer): Head {
  const packed = openDocument(keys, 'head', '', bytes, HEAD_BYTES_MAX);
  const plain = inflateRawSync(packed, { maxOutputLength: HEAD_BYTES_MAX });
  const { format: _, entries, ...rest } = schema.parse(JSON.parse(plain.toString('utf8')));
  return { ...rest, entries: new Map(Object.entries(entries)) };
}

/** The next one after `head`, with what is said to be different in it. */
export function successorOf(head: Head, changes: Partial<Head>): Head {
  const before = [head.generation, digestOf(plainOf(head))] as const;
  return {
    ...head,
    generation: head.generation + 1,
    history: [before, ...head.history].slice(0, HISTORY_MAX),
    ...changes,
  };
}
