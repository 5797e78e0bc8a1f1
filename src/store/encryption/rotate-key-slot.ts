import { removeDurably } from '../../files/durable.ts';
import { cannot } from '../../kernel/errors.ts';
import { slotName } from '../head/folder-state.ts';
import { digestOf } from '../head/head.ts';
import { keySlotPath } from '../layout.ts';
import {
  type ChangeKeysOptions,
  chooseSlot,
  type KeySlotListing,
  listingOf,
  newSlot,
  slotOpenedBy,
  whileUnlocked,
} from './change-key-slots.ts';
import type { SlotMaterial } from './key-material.ts';
import { readKeySlots, slotBytes, writeKeySlot } from './key-slot-files.ts';

export interface RotatedKey {
  readonly added: KeySlotListing;
  readonly removed: KeySlotListing;
}

/**
 * Lets `newKey` open the repository in the place of another: of `reference`, or, where that is null, of the one that
 * `key` opened. The old slot goes when the new one was read back and opens; stopped before that, both open, and the same
 * call finishes it.
 * @throws INVALID_PARAMS where it is the key that is there, KEY_WRONG, KEY_REQUIRED, NOT_FOUND, AMBIGUOUS_ID, LIMIT_EXCEEDED, REPO_LOCKED
 */
export async function rotateKeySlot(
  path: string,
  newKey: SlotMaterial,
  reference: string | null,
  options: ChangeKeysOptions & { readonly key: SlotMaterial },
): Promise<RotatedKey> {
  return whileUnlocked(path, 'rotate key', options, async (unlocked) => {
    const { layout, repositoryId, own, change } = unlocked;
    const before = await readKeySlots(layout, repositoryId);
    const old = reference === null ? own! : chooseSlot(before, reference);
    const there = await slotOpenedBy(before.slots, newKey);
    if (there?.id === old.id) {
      throw cannot('INVALID_PARAMS', 'rotate key', old.id, 'the new key is the old one', {
        hint: 'Make a new key file, or choose a new passphrase.',
      });
    }
    const added = there ?? (await newSlot(path, unlocked, before.slots, newKey, options.clock));
    const changes = [
      { name: slotName(added.id), to: digestOf(slotBytes(added)) },
      { name: slotName(old.id), to: null },
    ];
    await change(there === null ? changes : changes.slice(1), async () => {
      if (there === null) await writeKeySlot(layout, added);
      const { slots } = await readKeySlots(layout, repositoryId);
      if ((await slotOpenedBy(slots, newKey))?.id !== added.id) throw notThere(added.id);
      await removeDurably(keySlotPath(layout, old.id));
    });
    return { added: listingOf(added), removed: listingOf(old) };
  });
}

function notThere(id: string): Error {
  return cannot('IO_ERROR', 'rotate key', id, 'its slot is not what was written', {
    hint: 'The old key still opens the repository. The disk may be failing.',
  });
}
