import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import {
  addKeySlot,
  checkRepository,
  listKeySlots,
  openReader,
  removeKeySlot,
  type SlotMaterial,
  unlockRepository,
} from '../repository.ts';
import { encryptedRepository, testKey } from '../testing/encrypted-repository.ts';
import { activity, commitFile, fileOf, rowBytes, writerOf } from '../testing/scratch-repository.ts';

const options = { clock: systemClock, lockWaitMs: 0, key: testKey };
const second: SlotMaterial = { kind: 'keyFile', bytes: Buffer.alloc(32, 0x77) };
const phrase: SlotMaterial = { kind: 'passphrase', bytes: Buffer.from('a long enough phrase') };
let path: string;
let dispose: () => Promise<void>;

beforeEach(async () => {
  ({ path, dispose } = await encryptedRepository());
});
afterEach(() => dispose());

it('every key that was added opens the same repository; one that was removed opens it no longer', async () => {
  const writer = await writerOf(path, { key: testKey });
  const { id } = await commitFile(writer, rowBytes(1000));
  await writer.close();
  const added = await addKeySlot(path, phrase, options);
  expect(added.kind).toBe('passphrase');
  // Adding it again gives no second slot.
  expect(await addKeySlot(path, phrase, { ...options, key: phrase })).toEqual(added);
  const third = await addKeySlot(path, second, { ...options, key: phrase });
  const { slots, encrypted } = await listKeySlots(path);
  expect({ encrypted, kinds: slots.map(({ kind }) => kind) }).toEqual({
    encrypted: true,
    kinds: ['keyFile', 'passphrase', 'keyFile'],
  });
  for (const key of [testKey, phrase, second]) {
    const reader = await openReader(path, key);
    expect((await fileOf(reader, id)).equals(rowBytes(1000))).toBe(true);
    reader.close();
  }
  await removeKeySlot(path, third.id, options);
  await expect(openReader(path, second)).rejects.toMatchObject({ code: 'KEY_WRONG' });
  await removeKeySlot(path, slots[0]!.id, { ...options, key: phrase });
  await expect(openReader(path, testKey)).rejects.toMatchObject({ code: 'KEY_WRONG' });
  (await openReader(path, phrase)).close();
});

it('the last key, the one in use, and one that nobody knows are not removed', async () => {
  const { slots } = await listKeySlots(path);
  const own = slots[0]!.id;
  await expect(removeKeySlot(path, own, options)).rejects.toMatchObject({ code: 'IN_USE' });
  await addKeySlot(path, second, options);
  await expect(removeKeySlot(path, own, options)).rejects.toMatchObject({ code: 'IN_USE' });
  await expect(removeKeySlot(path, 'ffff-none', options)).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
  await expect(removeKeySlot(path, own, { ...options, key: phrase })).rejects.toMatchObject({
    code: 'KEY_WRONG',
  });
  expect((await listKeySlots(path)).slots).toHaveLength(2);
});

it('nobody adds a key without one, and there are never more than 32', async () => {
  const withoutKey = { ...options, key: null };
  await expect(addKeySlot(path, second, withoutKey)).rejects.toMatchObject({
    code: 'KEY_REQUIRED',
  });
  const master = await unlockRepository(path, testKey);
  for (let index = 1; index < 32; index += 1) {
    const bytes = Buffer.alloc(32, index);
    await addKeySlot(path, { kind: 'keyFile', bytes }, { ...options, key: master });
  }
  const more = { kind: 'keyFile', bytes: Buffer.alloc(32, 200) } as const;
  await expect(addKeySlot(path, more, options)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
});

it('a damaged slot costs its own key alone, and the check tells of it', async () => {
  await addKeySlot(path, second, options);
  const own = (await listKeySlots(path)).slots[0]!.id;
  await writeFile(join(path, 'keys', `${own}.json`), '{"format":1');
  await expect(openReader(path, testKey)).rejects.toMatchObject({ code: 'KEY_WRONG' });
  const report = await checkRepository(path, { readData: 'none', key: second }, activity);
  expect(report.ok).toBe(true);
  const slot = report.findings.find(({ code }) => code === 'KEY_SLOT_DAMAGED');
  expect(slot).toMatchObject({ code: 'KEY_SLOT_DAMAGED', path: `keys/${own}.json` });
  expect((await listKeySlots(path)).unreadable).toEqual([`${own}.json`]);
  expect(await readdir(join(path, 'keys'))).toHaveLength(2);
});
