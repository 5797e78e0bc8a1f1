/**
 * The content of one file: chunk ids in order, every chunk CHUNK_BYTES long but the last.
 * Up to NODE_IDS_MAX ids stand in `ids` (depth 0). More are packed, NODE_IDS_MAX raw 32-byte ids
 * to a node, nodes being chunks themselves; `ids` then names the nodes (depth 1), and so on up.
 */
export interface Content {
  /** Plaintext length. */
  readonly bytes: number;
  /** Levels of nodes between `ids` and the data chunks. */
  readonly depth: number;
  /** Lower-case hex, 64 digits each; at most NODE_IDS_MAX. */
  readonly ids: readonly string[];
}

export const NODE_IDS_MAX = 256;

export const EMPTY_CONTENT: Content = { bytes: 0, depth: 0, ids: [] };

/** True when both stand for the same bytes (ids are hashes, so this is exact). */
export function sameContent(left: Content, right: Content): boolean {
  return (
    left.bytes === right.bytes &&
    left.depth === right.depth &&
    left.ids.length === right.ids.length &&
    left.ids.every((id, index) => id === right.ids[index])
  );
}
