import { removeDurably } from '../../files/durable.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { cannot } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { KEY_SLOTS_MAX } from '../format/bounds.ts';
import { describedLayout } from '../format/read-descriptor.ts';
import { slotName } from '../head/folder-state.ts';
import { digestOf } from '../head/head.ts';
import { HeadKeeper, type HeadMemory, type IntendedChange } from '../head/head-keeper.ts';
import { keySlotPath, type Layout } from '../layout.ts';
import { lockRepository } from '../repository-lock.ts';
import type { KeyMaterial, SlotMaterial } from './key-material.ts';
import { type KeySlot, unwrapMasterKey, wrapMasterKey } from './key-slot.ts';
import { type KeySlots, readKeySlots, slotBytes, writeKeySlot } from './key-slot-files.ts';
import { deriveKeys } from './repository-keys.ts';
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
  /** Of the repository's heads; nothing is remembered without. */
  readonly memory?: HeadMemory | null;
}

interface Unlocked {
  readonly layout: Layout;
  readonly repositoryId: string;
  readonly master: Buffer;
  /** The one that `key` opened; null for a master key. */
  readonly own: KeySlot | null;
  /** Says in the head what is about to be done, does it, and says that it is done. */
  change(changes: readonly IntendedChange[], run: () => Promise<void>): Promise<void>;
}

/** Without a key: what is in the slots is not looked at. @throws REPO_UNINITIALISED, UNSUPPORTED_FORMAT */
export async function listKeySlots(
  path: string,
): Promise<{ encrypted: boolean; slots: KeySlotListing[]; unreadable: readonly string[] }> {
  const { layout, descriptor } = await describedLayout(path);
  const { id, encryption } = descriptor;
  if (encryption === null) return { encrypted: false, slots: [], unreadable: [] };
  const { slots, unreadable } = await readKeySlots(layout, id);
  return { encrypted: true, slots: slots.map(listingOf), unreadable };
}

export function listingOf({ id, kdf, createdAt }: KeySlot): KeySlotListing {
  return { id, kind: kdf.name === 'scrypt' ? 'passphrase' : 'keyFile', createdAt };
}

/** Lets `newKey` open the repository too. One that does so already gets no second slot. @throws KEY_WRONG, KEY_REQUIRED, LIMIT_EXCEEDED, REPO_LOCKED */
export async function addKeySlot(
  path: string,
  newKey: SlotMaterial,
  options: ChangeKeysOptions,
): Promise<KeySlotListing> {
  return whileUnlocked(path, 'add key', options, async (unlocked) => {
    const { slots } = await readKeySlots(unlocked.layout, unlocked.repositoryId);
    const there = await slotOpenedBy(slots, newKey);
    if (there !== null) return listingOf(there);
    const slot = await newSlot(path, unlocked, slots, newKey, options.clock);
    const added = { name: slotName(slot.id), to: digestOf(slotBytes(slot)) };
    await unlocked.change([added], () => writeKeySlot(unlocked.layout, slot));
    return listingOf(slot);
  });
}

export async function slotOpenedBy(
  slots: readonly KeySlot[],
  key: SlotMaterial,
): Promise<KeySlot | null> {
  for (const slot of slots) {
    if ((await unwrapMasterKey(slot, key)) !== null) return slot;
  }
  return null;
}

/** Not written yet. @throws LIMIT_EXCEEDED */
export async function newSlot(
  path: string,
  { master, repositoryId }: Unlocked,
  slots: readonly KeySlot[],
  key: SlotMaterial,
  clock: Clock,
): Promise<KeySlot> {
  if (slots.length >= KEY_SLOTS_MAX) {
    throw cannot('LIMIT_EXCEEDED', 'add key to', path, `it has ${slots.length}`, {
      hint: 'Remove one that is no longer needed.',
    });
  }
  const nowMs = clock.nowMs();
  const made = { id: newId(nowMs), repository: repositoryId, createdAt: isoTime(nowMs) };
  return wrapMasterKey(master, key, made);
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
  return whileUnlocked(
    path,
    'remove key',
    options,
    async ({ layout, repositoryId, own, change }) => {
      const slots = await readKeySlots(layout, repositoryId);
      const chosen = chooseSlot(slots, reference);
      if (slots.slots.length === 1) throw inUse(chosen, 'it is the last one');
      if (chosen.id === own?.id) throw inUse(chosen, 'it is the one that is configured');
      await change([{ name: slotName(chosen.id), to: null }], () =>
        removeDurably(keySlotPath(layout, chosen.id)),
      );
      return listingOf(chosen);
    },
  );
}

export function chooseSlot({ slots }: KeySlots, reference: string): KeySlot {
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

/** Under the writer's lock, and only with a key that opens the repository. */
export async function whileUnlocked<T>(
  path: string,
  purpose: string,
  { clock, lockWaitMs, signal, key, memory = null }: ChangeKeysOptions,
  run: (unlocked: Unlocked) => Promise<T>,
): Promise<T> {
  const { layout, descriptor } = await describedLayout(path);
  const { id: repositoryId, encryption } = descriptor;
  if (encryption === null) {
    throw cannot('INVALID_PARAMS', purpose, path, 'it is not encrypted', {
      hint: 'holdfast repository encrypt makes it so.',
    });
  }
  const lock = await lockRepository(layout, {
    purpose,
    lockWaitMs,
    clock,
    signal,
  });
  try {
    const { master, slot: own } = await openMasterKey(layout, repositoryId, key);
    const sealed = { ...layout, keys: deriveKeys(master, repositoryId) };
    const head = await HeadKeeper.open(sealed, repositoryId, memory);
    const change: Unlocked['change'] = async (changes, make) => {
      await head.intend(changes);
      await make();
      await head.settle();
    };
    return await run({ layout, repositoryId, master, own, change });
  } finally {
    lock.release();
  }
}
