import { cannot, type HoldfastError } from '../../kernel/errors.ts';
import type { Descriptor } from '../format/descriptor.ts';
import { describedLayout } from '../format/read-descriptor.ts';
import type { Layout } from '../layout.ts';
import type { KeyMaterial } from './key-material.ts';
import { type KeySlot, unwrapMasterKey } from './key-slot.ts';
import { readKeySlots } from './key-slot-files.ts';
import { deriveKeys } from './repository-keys.ts';

export interface OpenedLayout {
  readonly layout: Layout;
  readonly repositoryId: string;
}

/**
 * Finds out what stands at `path`, and opens it where it is encrypted. Nothing but `holdfast.json` and `keys/` was
 * read before it is known that the key is right.
 * @throws REPO_UNINITIALISED, UNSUPPORTED_FORMAT, REPO_CORRUPT, KEY_REQUIRED, KEY_WRONG
 */
export async function openLayout(path: string, key: KeyMaterial | null): Promise<OpenedLayout> {
  const { layout, descriptor } = await describedLayout(path);
  return openLayoutAs(layout, descriptor, key);
}

/** The same, for what the repository is known to be. */
export async function openLayoutAs(
  layout: Layout,
  { id: repositoryId, encryption }: Descriptor,
  key: KeyMaterial | null,
): Promise<OpenedLayout> {
  if (encryption === null) {
    if (key !== null) throw notEncrypted(layout.root);
    return { layout, repositoryId };
  }
  const { master } = await openMasterKey(layout, repositoryId, key);
  return { layout: { ...layout, keys: deriveKeys(master, repositoryId) }, repositoryId };
}

/** The master key, for whoever opens the repository again soon; null where it is not encrypted. @throws as `openLayout` */
export async function unlockRepository(
  path: string,
  key: KeyMaterial | null,
): Promise<Extract<KeyMaterial, { kind: 'master' }> | null> {
  const { layout, descriptor } = await describedLayout(path);
  const { id: repositoryId, encryption } = descriptor;
  if (encryption === null && key === null) return null;
  if (encryption === null) throw notEncrypted(path);
  const { master } = await openMasterKey(layout, repositoryId, key);
  return { kind: 'master', repositoryId, bytes: master };
}

/** The master key, and the slot that `key` opened; null for a master key. @throws KEY_REQUIRED, KEY_WRONG, REPO_CORRUPT */
export async function openMasterKey(
  layout: Layout,
  repositoryId: string,
  key: KeyMaterial | null,
): Promise<{ master: Buffer; slot: KeySlot | null }> {
  if (key === null) {
    throw cannot('KEY_REQUIRED', 'open repository', layout.root, 'it is encrypted', {
      hint: 'Name its key in the configuration: repositoryKey.keyFile or repositoryKey.passphraseFile.',
    });
  }
  if (key.kind === 'master') {
    if (key.repositoryId === repositoryId) return { master: key.bytes, slot: null };
    throw wrongKey(layout, 'it is not the repository that it was');
  }
  const { slots, misnamed, unreadable } = await readKeySlots(layout, repositoryId);
  for (const slot of [...slots, ...misnamed]) {
    const master = await unwrapMasterKey(slot, key);
    if (master !== null) return { master, slot };
  }
  if (slots.length > 0) throw wrongKey(layout, `the key opens none of its ${slots.length} slots`);
  throw cannot('REPO_CORRUPT', 'open repository', layout.root, 'it has no key slot left', {
    hint: 'Restore its folder "keys" from a replica: without one of the files in it nothing can be read.',
    details: { unreadable: unreadable.slice(0, 20) },
  });
}

function wrongKey(layout: Layout, state: string): HoldfastError {
  return cannot('KEY_WRONG', 'open repository', layout.root, state, {
    hint: 'Check repositoryKey in the configuration, and that holdfast.json and keys/ are those of this repository.',
  });
}

function notEncrypted(path: string): HoldfastError {
  const state = 'it is not encrypted, though a key is configured for it';
  return cannot('KEY_WRONG', 'open repository', path, state, {
    hint: 'Somebody may have put it in the place of one that was. Otherwise encrypt it (holdfast repository encrypt), remove repositoryKey, or name a new folder.',
  });
}
