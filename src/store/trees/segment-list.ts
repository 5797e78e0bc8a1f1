import { hash } from 'node:crypto';
import {
  SEGMENT_BYTES_MAX,
  SEGMENT_CUT_ONE_IN,
  SEGMENT_ENTRIES_MAX,
  TREE_ENTRIES_SINGLE_MAX,
} from '../format/bounds.ts';

/** One element of a sorted list that may be cut: an entry or a segment, as canonical JSON. */
export interface ListItem {
  readonly name: string;
  readonly json: string;
}

/** True when the list stays in one tree object. */
export function fitsOneTree(items: readonly ListItem[]): boolean {
  if (items.length > TREE_ENTRIES_SINGLE_MAX) return false;
  return items.reduce((bytes, { json }) => bytes + Buffer.byteLength(json), 0) <= SEGMENT_BYTES_MAX;
}

/** Cuts where the names say, so that an insertion moves no cut but its own (docs/format.md, Objects). */
export function cutSegments<T extends ListItem>(items: readonly T[]): T[][] {
  const segments: T[][] = [];
  let current: T[] = [];
  let currentBytes = 0;
  for (const item of items) {
    const itemBytes = Buffer.byteLength(item.json);
    const full =
      current.length >= SEGMENT_ENTRIES_MAX || currentBytes + itemBytes > SEGMENT_BYTES_MAX;
    if (full && current.length > 0) {
      segments.push(current);
      current = [];
      currentBytes = 0;
    }
    current.push(item);
    currentBytes += itemBytes;
    if (endsSegment(item.name)) {
      segments.push(current);
      current = [];
      currentBytes = 0;
    }
  }
  if (current.length > 0) segments.push(current);
  return segments;
}

function endsSegment(name: string): boolean {
  const digits = hash('sha256', name, 'hex');
  return Number.parseInt(digits.slice(0, 4), 16) % SEGMENT_CUT_ONE_IN === 0;
}
