import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import {
  addKeySlot,
  listKeySlots,
  openReader,
  rotateKeySlot,
  type SlotMaterial,
  unlockRepository,
} from '../repository.ts';
import { encryptedRepository, testKey } from '../testing/encrypted-repository.ts';

const options = { clock: systemClock, lockWaitMs: 0, key: testKey };
const second: SlotMaterial = { kind: 'keyFile', bytes: Buffer.alloc(32, 0x77) };
const third: SlotMaterial = { kind: 'keyFile', bytes: Buffer.alloc(32, 0x78) };
const phrase: SlotMaterial = { kind: 'passphrase', bytes: Buffer.from('a long enough phrase') };
let path: string;
let dispose: () => Promise<void>;

beforeEach(async () => {
  ({ path, dispose } = await encryptedRepository());
});
afterEach(() => dispose());

const opens = (key: SlotMaterial): Promise<boolean> =>
  openReader(path, key).then(
    (reader) => {
      reader.close();
      return true;
    },
    () => false,
  );

it('the new key opens it in the place of the configured one; the master key is the same', async () => {
  const before = await unlockRepository(path, testKey);
  const own = (await listKeySlots(path)).slots[0]!;
  const { added, removed } = await rotateKeySlot(path, phrase, null, options);
  expect({ kind: added.kind, removed: removed.id }).toEqual({
    kind: 'passphrase',
    removed: own.id,
  });
  expect([await opens(testKey), await opens(phrase)]).toEqual([false, true]);
  expect(await unlockRepository(path, phrase)).toEqual(before);
  expect((await listKeySlots(path)).slots).toEqual([added]);
});

it('another one than the configured one is named by its id; what opens already takes its place without a second slot', async () => {
  const old = await addKeySlot(path, second, options);
  await rotateKeySlot(path, third, old.id, options);
  expect([await opens(testKey), await opens(second), await opens(third)]).toEqual([
    true,
    false,
    true,
  ]);
  // Both are there, as after a rotation that was stopped in between.
  await rotateKeySlot(path, third, null, options);
  expect([await opens(testKey), await opens(third)]).toEqual([false, true]);
  expect((await listKeySlots(path)).slots).toHaveLength(1);
});

it('nothing changes where the new key is the old one, the old one is not known, or the key does not open it', async () => {
  await expect(rotateKeySlot(path, testKey, null, options)).rejects.toMatchObject({
    code: 'INVALID_PARAMS',
  });
  await expect(rotateKeySlot(path, second, 'ffff-none', options)).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
  await expect(rotateKeySlot(path, third, null, { ...options, key: second })).rejects.toMatchObject(
    {
      code: 'KEY_WRONG',
    },
  );
  expect(await opens(testKey)).toBe(true);
  expect((await listKeySlots(path)).slots).toHaveLength(1);
});
