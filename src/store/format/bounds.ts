/** Bounds of format 1 (docs/format.md): what a writer produces and the most that a reader accepts. */

export const FORMAT = 1;
export const ID_BYTES = 32;
/** Plaintext of one object. */
export const OBJECT_BYTES_MAX = 1024 * 1024;
/** Records of a pack at which it is sealed. */
export const PACK_BYTES_TARGET = 16 * 1024 * 1024;
/** Bounds the memory that a pack of tiny deltas takes while it is filled. */
export const PACK_RECORDS_TARGET = 16_384;
export const PACK_BYTES_MAX = 64 * 1024 * 1024;
export const MANIFEST_BYTES_MAX = 64 * 1024 * 1024;
export const DESCRIPTOR_BYTES_MAX = 64 * 1024;
export const NOTES_BYTES_MAX = 1024 * 1024;
/** What the sealed bytes of a record are longer than what they hold: nonce and tag. */
export const SEALED_EXTRA_BYTES = 40;
/** Of a hundred thousand snapshots with notes. */
export const HEAD_BYTES_MAX = 64 * 1024 * 1024;
export const KEY_SLOT_BYTES_MAX = 16 * 1024;
export const KEY_SLOTS_MAX = 32;
/** A directory up to these stays in one tree object. */
export const TREE_ENTRIES_SINGLE_MAX = 256;
export const SEGMENT_ENTRIES_MAX = 1024;
export const SEGMENT_BYTES_MAX = 256 * 1024;
export const SEGMENT_LEVELS_MAX = 8;
/** One name in this many ends a segment. */
export const SEGMENT_CUT_ONE_IN = 128;
/** 256 to the power of this many chunks is far beyond any file. */
export const NODE_LEVELS_MAX = 6;
