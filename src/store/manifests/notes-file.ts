import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { cannot, systemCode } from '../../kernel/errors.ts';
import { openDocument, sealDocument } from '../encryption/sealed-document.ts';
import { NOTES_BYTES_MAX } from '../format/bounds.ts';
import { canonicalJson } from '../format/canonical-json.ts';
import { type Layout, notesPath } from '../layout.ts';
import { publishFile } from '../publish-file.ts';
import { EMPTY_NOTES, type Notes } from './manifest.ts';
import { parseNotes } from './manifest-schema.ts';

/** Verifications kept with a snapshot: the newest ones. */
const VERIFICATIONS_MAX = 20;

/** Notes of a snapshot; a missing file means none. @throws REPO_CORRUPT when the file is damaged */
export function readNotesFile(layout: Layout, id: string): Notes {
  let bytes: Buffer;
  try {
    bytes = readFileSync(notesPath(layout, id));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return EMPTY_NOTES;
    throw error;
  }
  return parse(layout, id, bytes);
}

function parse({ keys }: Layout, id: string, stored: Buffer): Notes {
  const corrupt = (state: string, cause?: unknown): Error =>
    cannot('REPO_CORRUPT', 'read notes of snapshot', id, state, {
      hint: 'The snapshot itself is not affected. Set its tags or pin again to replace the notes.',
      cause,
    });
  let bytes = stored;
  if (keys !== null) {
    try {
      bytes = openDocument(keys, 'notes', id, stored, NOTES_BYTES_MAX);
    } catch (error) {
      throw corrupt('they are not what was sealed for it', error);
    }
  }
  if (bytes.length > NOTES_BYTES_MAX) throw corrupt(`they are ${bytes.length} bytes long`);
  let document: { checksum?: unknown; notes?: unknown; snapshot?: unknown } | null;
  try {
    document = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw corrupt('they are not JSON', error);
  }
  const { checksum, notes, snapshot } = document ?? {};
  // Compared as bytes: whatever a flipped bit changed, even white space, is noticed.
  const expected = encode(id, notes);
  if (checksum === undefined || snapshot !== id || !bytes.equals(expected)) {
    throw corrupt('their checksum is wrong');
  }
  const parsed = parseNotes(notes);
  if ('issue' in parsed) throw corrupt(parsed.issue);
  return parsed.notes;
}

function encode(id: string, notes: unknown): Buffer {
  const body = { notes, snapshot: id };
  const checksum = createHash('sha256').update(canonicalJson(body)).digest('hex');
  return Buffer.from(canonicalJson({ checksum, ...body }));
}

/** The bytes of the file of notes. @throws INVALID_PARAMS when a reader would refuse them */
export function encodeNotes({ keys }: Pick<Layout, 'keys'>, id: string, notes: Notes): Buffer {
  const kept = { ...notes, verifications: notes.verifications.slice(-VERIFICATIONS_MAX) };
  const parsed = parseNotes(kept);
  if ('issue' in parsed)
    throw cannot('INVALID_PARAMS', 'write notes of snapshot', id, parsed.issue);
  const plain = encode(id, kept);
  return keys === null ? plain : sealDocument(keys, 'notes', id, plain);
}

/** Replaces the notes of a snapshot durably. @throws INVALID_PARAMS when a reader would refuse them */
export async function writeNotesFile(layout: Layout, id: string, notes: Notes): Promise<void> {
  await publishFile(layout, notesPath(layout, id), encodeNotes(layout, id, notes));
}
