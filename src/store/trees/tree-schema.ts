import { z } from 'zod';
import { cannot } from '../../kernel/errors.ts';
import { PATH_COMPONENT_BYTES_MAX } from '../../kernel/limits.ts';
import { type Content, NODE_IDS_MAX } from '../chunks/content.ts';
import { NODE_LEVELS_MAX, SEGMENT_ENTRIES_MAX } from '../format/bounds.ts';
import { firstIssue } from '../format/descriptor.ts';
import { isObjectId } from '../format/object-id.ts';
import { compareNames, type TreeEntry } from './tree-entry.ts';

/** What a tree object says (docs/format.md, Objects), validated strictly. */

export interface TreeSegment {
  /** Name of the first entry in it. */
  readonly first: string;
  readonly tree: string;
}

export type TreeDocument =
  | { readonly type: 'entries'; readonly entries: readonly TreeEntry[] }
  | { readonly type: 'segments'; readonly segments: readonly TreeSegment[] };

/** True for one component of a path, as TreeEntry.name promises. */
export function isEntryName(name: string): boolean {
  return (
    name !== '' &&
    name !== '.' &&
    name !== '..' &&
    !/[/\0]/.test(name) &&
    !/\p{Surrogate}/u.test(name) &&
    Buffer.byteLength(name) <= PATH_COMPONENT_BYTES_MAX
  );
}

const id = z.string().refine(isObjectId, 'not an id');
const name = z.string().refine(isEntryName, 'not a name');
const nanoseconds = z.string().regex(/^-?\d{1,20}$/);
const count = z.int().min(0);

const content = z.strictObject({
  bytes: count,
  depth: z.int().min(0).max(NODE_LEVELS_MAX),
  ids: z.array(id).max(NODE_IDS_MAX),
});

const base = { name, mode: count.max(0o7777), uid: count, gid: count, mtimeNs: nanoseconds };

const entry = z.discriminatedUnion('type', [
  z.strictObject({
    ...base,
    type: z.literal('file'),
    content,
    ctimeNs: nanoseconds,
    inode: z.string().regex(/^\d{1,20}$/),
    changedWhileReading: z.literal(true).exactOptional(),
    lines: count.exactOptional(),
    endsPartial: z.literal(true).exactOptional(),
  }),
  z.strictObject({ ...base, type: z.literal('directory'), tree: id }),
  z.strictObject({ ...base, type: z.literal('symlink'), target: z.string().max(4096) }),
  z.strictObject({ ...base, type: z.literal('database'), content }),
]);

const document = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('entries'), entries: z.array(entry).max(SEGMENT_ENTRIES_MAX) }),
  z.strictObject({
    type: z.literal('segments'),
    segments: z
      .array(z.strictObject({ first: name, tree: id }))
      .min(1)
      .max(SEGMENT_ENTRIES_MAX),
  }),
]);

/** @throws REPO_CORRUPT when `bytes` are not a tree */
export function parseTree(tree: string, bytes: Buffer): TreeDocument {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw cannot('REPO_CORRUPT', 'read tree', tree, 'it is not JSON', { cause: error });
  }
  const parsed = document.safeParse(value);
  if (!parsed.success) throw cannot('REPO_CORRUPT', 'read tree', tree, firstIssue(parsed.error));
  assertSorted(tree, parsed.data);
  return parsed.data;
}

function assertSorted(tree: string, read: TreeDocument): void {
  const names =
    read.type === 'entries'
      ? read.entries.map((each) => each.name)
      : read.segments.map((each) => each.first);
  for (let index = 1; index < names.length; index += 1) {
    if (compareNames(names[index - 1]!, names[index]!) < 0) continue;
    throw cannot('REPO_CORRUPT', 'read tree', tree, `"${names[index]}" stands out of order`);
  }
}

function contentJson({ bytes, depth, ids }: Content): object {
  return { bytes, depth, ids };
}

/** One entry as canonical JSON. @throws INVALID_PARAMS when it is no valid entry */
export function entryJson(value: TreeEntry): string {
  const { gid, mode, mtimeNs, uid } = value;
  const checked = entry.safeParse(value);
  if (!checked.success) {
    throw cannot('INVALID_PARAMS', 'store entry', value.name, firstIssue(checked.error));
  }
  // Members in canonical order, written out because sorting them for every file would be slow.
  switch (value.type) {
    case 'file':
      return JSON.stringify({
        ...(value.changedWhileReading === true ? { changedWhileReading: true } : {}),
        content: contentJson(value.content),
        ctimeNs: value.ctimeNs,
        ...(value.endsPartial === true ? { endsPartial: true } : {}),
        gid,
        inode: value.inode,
        ...(value.lines === undefined ? {} : { lines: value.lines }),
        mode,
        mtimeNs,
        name: value.name,
        type: 'file',
        uid,
      });
    case 'directory':
      return JSON.stringify({
        gid,
        mode,
        mtimeNs,
        name: value.name,
        tree: value.tree,
        type: 'directory',
        uid,
      });
    case 'symlink':
      return JSON.stringify({
        gid,
        mode,
        mtimeNs,
        name: value.name,
        target: value.target,
        type: 'symlink',
        uid,
      });
    case 'database':
      return JSON.stringify({
        content: contentJson(value.content),
        gid,
        mode,
        mtimeNs,
        name: value.name,
        type: 'database',
        uid,
      });
  }
}
