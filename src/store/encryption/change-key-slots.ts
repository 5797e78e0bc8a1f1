import { removeDurably } from '../../files/durable.ts';
import { acquireExclusiveLock } from '../../files/exclusive-lock.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { cannot } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { KEY_SLOTS_MAX } from '../format/bounds.ts';
import { readDescriptor } from '../format/read-descriptor.ts';
import { keySlotPath, type Layout, layoutOf } from '../layout.ts';
import type { KeyMaterial, SlotMaterial } from './key-material.ts';
import { type KeySlot, unwrapMasterKey, wrapMasterKey } from './key-slot.ts';
import { type KeySlots, readKeySlots, writeKeySlot } from './key-slot-files.ts';
import { openMasterKey } from './unlock.ts';

export interface KeySlotListing {
  readonly id: string;
  readonly kind: 'keyFile' | 'passphrase';
  /** ISO 8601 UTC. */
  readonly createdAt: string;
}

export interface ChangeKeysOptions {
  /** Opens the repository. */
  readonly key: KeyMaterial | null;
  readonly clock: Clock;
  readonly lockWaitMs: number;
  readonly signal?: AbortSignal;
}

interface Opened {
  readonly layout: Layout;
  readonly repositoryId: string;
}

/** Without a key: what is in the slots is not looked at. @throws REPO_UNINITIALISED, UNSUPPORTED_FORMAT */
export async function listKeySlots(
  path: string,
): Promise<{ encrypted: boolean; slots: KeySlotListing[]; unreadable: readonly string[] }> {
  const layout = layoutOf(path);
  const { id, encryption } = await readDescriptor(layout);
  if (encryption === null) return { encrypted: false, slots: [], unreadable: [] };
  const { slots, unreadable } = await readKeySlots(layout, id);
  return { encrypted: true, slots: slots.map(listingOf), unreadable };
}

function listingOf({ id, kdf, createdAt }: KeySlot): KeySlotListing {
  return { id, kind: kdf.name === 'scrypt' ? 'passphrase' : 'keyFile', createdAt };
}

/** Lets `newKey` open the repository too. One that does so already gets no second slot. @throws KEY_WRONG, KEY_REQUIRED, LIMIT_EXCEEDED, REPO_LOCKED */
export async function addKeySlot(
  path: string,
  newKey: SlotMaterial,
  options: ChangeKeysOptions,
): Promise<KeySlotListing> {
  return whileLocked(path, 'add key', options, async ({ layout, repositoryId }) => {
    const { master } = await openMasterKey(layout, repositoryId, options.key);
    const { slots } = await readKeySlots(layout, repositoryId);
    for (const slot of slots) {
      if ((await unwrapMasterKey(slot, newKey)) !== null) return listingOf(slot);
    }
    if (slots.length >= KEY_SLOTS_MAX) {
      throw cannot('LIMIT_EXCEEDED', 'add key to', path, `it has ${slots.length}`, {
        hint: 'Remove one that is no longer needed.',
      });
    }
    const nowMs = options.clock.nowMs();
    const made = { id: newId(nowMs), repository: repositoryId, createdAt: isoTime(nowMs) };
    const slot = await wrapMasterKey(master, newKey, made);
    await writeKeySlot(layout, slot);
    return listingOf(slot);
  });
}

/**
 * Takes a key out of use; `reference` is a slot's id or enough of its first or last digits.
 * @throws NOT_FOUND, AMBIGUOUS_ID, IN_USE for the last one and for the one of `key`, KEY_WRONG, REPO_LOCKED
 */
export async function removeKeySlot(
  path: string,
  reference: string,
  options: ChangeKeysOptions & { readonly key: SlotMaterial },
): Promise<KeySlotListing> {
  return whileLocked(path, 'remove key', options, async ({ layout, repositoryId }) => {
    const { slot: own } = await openMasterKey(layout, repositoryId, options.key);
    const slots = await readKeySlots(layout, repositoryId);
    const chosen = chooseSlot(slots, reference);
    if (slots.slots.length === 1) throw inUse(chosen, 'it is the last one');
    if (chosen.id === own?.id) throw inUse(chosen, 'it is the one that is configured');
    await removeDurably(keySlotPath(layout, chosen.id));
    return listingOf(chosen);
  });
}

function chooseSlot({ slots }: KeySlots, reference: string): KeySlot {
  const found = slots.filter(({ id }) => id.startsWith(reference) || id.endsWith(reference));
  if (found.length === 1) return found[0]!;
  const code = found.length === 0 ? 'NOT_FOUND' : 'AMBIGUOUS_ID';
  throw cannot(code, 'choose key', reference, `${found.length} keys have this id`, {
    hint: 'holdfast repository keys lists them.',
  });
}

function inUse({ id }: KeySlot, state: string): Error {
  return cannot('IN_USE', 'remove key', id, state, {
    hint: 'Add another key, name that one in the configuration, restart, then remove this one.',
  });
}

async function whileLocked<T>(
  path: string,
  purpose: string,
  { clock, lockWaitMs, signal }: ChangeKeysOptions,
  run: (opened: Opened) => Promise<T>,
): Promise<T> {
  const layout = layoutOf(path);
  const { id: repositoryId, encryption } = await readDescriptor(layout);
  if (encryption === null) {
    throw cannot('INVALID_PARAMS', purpose, path, 'it is not encrypted', {
      hint: 'Encryption is chosen when a repository is made.',
    });
  }
  const lock = await acquireExclusiveLock(layout.lock, {
    purpose,
    waitMs: lockWaitMs,
    code: 'REPO_LOCKED',
    clock,
    ...(signal === undefined ? {} : { signal }),
  });
  try {
    return await run({ layout, repositoryId });
  } finally {
    lock.release();
  }
}
