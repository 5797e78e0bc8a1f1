import { cannot } from '../../kernel/errors.ts';
import { ID_BYTES, NODE_LEVELS_MAX } from '../format/bounds.ts';
import { type Content, NODE_IDS_MAX } from './content.ts';

/** Reads one object, verified. */
export type ReadObject = (id: string) => Promise<Buffer>;

/** The ids in a node. @throws REPO_CORRUPT when it cannot be one */
export function nodeIds(node: Buffer, nodeId: string): string[] {
  const count = node.length / ID_BYTES;
  if (!Number.isInteger(count) || count < 1 || count > NODE_IDS_MAX) {
    throw cannot('REPO_CORRUPT', 'read node', nodeId, `it is ${node.length} bytes long`);
  }
  return Array.from({ length: count }, (_, index) =>
    node.toString('hex', index * ID_BYTES, (index + 1) * ID_BYTES),
  );
}

/** Ids of the data chunks in order, nodes unfolded one at a time. */
export async function* chunkIdsOf(content: Content, read: ReadObject): AsyncGenerator<string> {
  if (content.depth > NODE_LEVELS_MAX) {
    throw cannot('REPO_CORRUPT', 'read content', content.ids[0] ?? '', `depth ${content.depth}`);
  }
  for (const id of content.ids) yield* leavesOf(id, content.depth, read);
}

async function* leavesOf(id: string, depth: number, read: ReadObject): AsyncGenerator<string> {
  if (depth === 0) {
    yield id;
    return;
  }
  for (const child of nodeIds(await read(id), id)) yield* leavesOf(child, depth - 1, read);
}

/** Looks ids up by their place in a content, keeping one node per level. */
export class ContentCursor {
  readonly #content: Content;
  readonly #read: ReadObject;
  readonly #kept = new Map<number, { node: number; ids: Promise<string[]> }>();

  constructor(content: Content, read: ReadObject) {
    this.#content = content;
    this.#read = read;
  }

  /** The id of the `index`-th object of a level (0: data chunks, 1: nodes of those, …), or null beyond the end. */
  async idAt(level: number, index: number): Promise<string | null> {
    const { depth, ids } = this.#content;
    if (level > depth) return null;
    if (level === depth) return ids[index] ?? null;
    const node = Math.floor(index / NODE_IDS_MAX);
    const kept = this.#kept.get(level);
    if (kept?.node === node) return (await kept.ids)[index % NODE_IDS_MAX] ?? null;
    const loading = this.#idsOfNode(level + 1, node);
    this.#kept.set(level, { node, ids: loading });
    return (await loading)[index % NODE_IDS_MAX] ?? null;
  }

  async #idsOfNode(level: number, index: number): Promise<string[]> {
    const id = await this.idAt(level, index);
    return id === null ? [] : nodeIds(await this.#read(id), id);
  }
}
