import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import type { SlotMaterial } from './key-material.ts';
import { type KeySlot, keySlotSchema, unwrapMasterKey, wrapMasterKey } from './key-slot.ts';

const facts = {
  id: '01936c3e-1111-7222-8333-000000000001',
  repository: '01936c3e-1111-7222-8333-444455556666',
  createdAt: '2026-01-02T03:04:05.678Z',
};
const master = randomBytes(32);
const keyFile: SlotMaterial = { kind: 'keyFile', bytes: randomBytes(32) };
const passphrase: SlotMaterial = {
  kind: 'passphrase',
  bytes: Buffer.from('correct horse battery'),
};

it.each([
  ['a key file', keyFile],
  ['a passphrase', passphrase],
])('%s opens its slot, and another does not; nothing of either is in it', async (_, material) => {
  const slot = await wrapMasterKey(master, material, facts);
  expect(keySlotSchema.parse(slot)).toEqual(slot);
  expect((await unwrapMasterKey(slot, material))?.equals(master)).toBe(true);
  const other = { ...material, bytes: Buffer.from(material.bytes) };
  other.bytes[0]! ^= 1;
  expect(await unwrapMasterKey(slot, other)).toBeNull();
  const text = JSON.stringify(slot);
  for (const secret of [master, material.bytes]) {
    expect(text).not.toContain(secret.toString('hex'));
    expect(text).not.toContain(secret.toString('latin1'));
  }
  const again = await wrapMasterKey(master, material, facts);
  expect(again.wrapped).not.toBe(slot.wrapped);
  expect(again.kdf.salt).not.toBe(slot.kdf.salt);
});

it('a slot serves its own repository, under its own name, with its own parameters', async () => {
  const slot = await wrapMasterKey(master, keyFile, facts);
  const changes: Partial<KeySlot>[] = [
    { id: '01936c3e-1111-7222-8333-000000000002' },
    { repository: '01936c3e-1111-7222-8333-444455556667' },
    { createdAt: '2026-01-02T03:04:05.679Z' },
    { kdf: { name: 'hkdf-sha256', salt: '00'.repeat(32) } },
    { wrapped: `00${slot.wrapped.slice(2)}` },
  ];
  for (const change of changes) {
    expect(await unwrapMasterKey({ ...slot, ...change }, keyFile)).toBeNull();
  }
});

it('a slot that would cost a reader more than it should is no slot', async () => {
  const slot = await wrapMasterKey(master, passphrase, facts);
  const refused = [
    { cost: 2 ** 21 },
    { cost: 2 ** 13 },
    { cost: 100_000 },
    { blockSize: 32 },
    { parallelization: 1000 },
    { cost: 2 ** 20, blockSize: 16 },
    { salt: 'ab' },
    { extra: 1 },
  ];
  for (const change of refused) {
    const parsed = keySlotSchema.safeParse({ ...slot, kdf: { ...slot.kdf, ...change } });
    expect(parsed.success, JSON.stringify(change)).toBe(false);
  }
});
