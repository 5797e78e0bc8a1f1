import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OpenPack } from '../packs/open-pack.ts';
import { packIndexOf, scanPack } from '../packs/pack-index.ts';
import { noiseBytes } from '../testing/scratch-repository.ts';
import { objectId } from './object-id.ts';
import { PACK_HEADER_BYTES, type PackOwner } from './pack-layout.ts';
import {
  decodeRecordHeader,
  encodeRecordHeader,
  RECORD_HEADER_BYTES,
  type RecordFields,
} from './record.ts';

const OWNER = { repositoryId: '01936c3e-1111-7222-8333-444455556666', packKey: null };
const hexId = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('hex'));

const anyFields: fc.Arbitrary<RecordFields> = fc
  .record({
    id: hexId,
    base: fc.option(hexId.filter((id) => !/^0+$/.test(id))),
    kind: fc.constantFrom('chunk' as const, 'node' as const, 'tree' as const),
    codec: fc.constantFrom('none' as const, 'brotli' as const, 'zstd' as const),
    plainBytes: fc.integer({ min: 1, max: 1024 * 1024 }),
    encrypted: fc.boolean(),
  })
  .chain((fields) =>
    fc
      .integer({ min: 1, max: fields.plainBytes })
      // Nonce and tag come on top.
      .map((bytes) => ({ ...fields, storedBytes: bytes + (fields.encrypted ? 40 : 0) })),
  );

describe('record headers', () => {
  it('say what was written', () => {
    fc.assert(
      fc.property(anyFields, (fields) => {
        expect(decodeRecordHeader(encodeRecordHeader(fields), 0)).toEqual(fields);
      }),
    );
  });

  it('with any single bit flipped are no headers', () => {
    fc.assert(
      fc.property(anyFields, (fields) => {
        const header = encodeRecordHeader(fields);
        for (let bit = 0; bit < RECORD_HEADER_BYTES * 8; bit += 1) {
          header[bit >> 3]! ^= 1 << (bit & 7);
          expect(decodeRecordHeader(header, 0)).toBeNull();
          header[bit >> 3]! ^= 1 << (bit & 7);
        }
      }),
      { numRuns: 10 },
    );
  });
});

function somePack(records: number, owner: PackOwner = OWNER): { pack: OpenPack; bytes: Buffer } {
  const pack = new OpenPack(owner);
  for (let seed = 1; seed <= records; seed += 1) {
    const stored = noiseBytes(50 + seed, seed);
    const { length } = stored;
    const sizes = { plainBytes: length, storedBytes: length };
    const fields = {
      id: objectId(stored, null),
      base: null,
      kind: 'chunk' as const,
      codec: 'none' as const,
    };
    pack.append({ ...fields, ...sizes, encrypted: false }, stored);
  }
  return { pack, bytes: pack.finish() };
}

describe('packs', () => {
  it('are indexed by their footer, and only as what they are', () => {
    const { pack, bytes } = somePack(5);
    expect(packIndexOf(OWNER, bytes)).toEqual(pack.entries);
    expect(
      packIndexOf({ ...OWNER, repositoryId: '01936c3e-1111-7222-8333-444455556667' }, bytes),
    ).toBeNull();
  });

  it('without their records: a flip of any bit of header, footer or trailer is noticed', () => {
    const { pack, bytes } = somePack(3);
    const last = pack.entries.at(-1)!;
    const footer = last.offset + RECORD_HEADER_BYTES + last.storedBytes;
    for (let at = 0; at < bytes.length; at += 1) {
      if (at >= PACK_HEADER_BYTES && at < footer) continue;
      for (let bit = 0; bit < 8; bit += 1) {
        bytes[at]! ^= 1 << bit;
        expect(packIndexOf(OWNER, bytes), `byte ${at}, bit ${bit}`).toBeNull();
        bytes[at]! ^= 1 << bit;
      }
    }
  });

  it('of an encrypted repository are indexed with its pack key, and with nothing else', () => {
    const owner = { ...OWNER, packKey: Buffer.alloc(32, 1) };
    const { pack, bytes } = somePack(3, owner);
    expect(packIndexOf(owner, bytes)).toEqual(pack.entries);
    expect(packIndexOf({ ...owner, packKey: Buffer.alloc(32, 2) }, bytes)).toBeNull();
    expect(packIndexOf(OWNER, bytes)).toBeNull();
    expect(packIndexOf(owner, somePack(3).bytes)).toBeNull();
    const last = pack.entries.at(-1)!;
    const footer = last.offset + RECORD_HEADER_BYTES + last.storedBytes;
    for (let at = 0; at < bytes.length; at += 1) {
      if (at >= PACK_HEADER_BYTES && at < footer) continue;
      bytes[at]! ^= 1;
      expect(packIndexOf(owner, bytes), `byte ${at}`).toBeNull();
      bytes[at]! ^= 1;
    }
  });

  it('Z-D6: cut anywhere are torn, and every record before the cut is found by scanning', () => {
    const { pack, bytes } = somePack(4);
    for (let length = 0; length < bytes.length; length += 1) {
      const torn = bytes.subarray(0, length);
      expect(packIndexOf(OWNER, torn)).toBeNull();
      const whole = pack.entries.filter(
        ({ offset, storedBytes }) => offset + RECORD_HEADER_BYTES + storedBytes <= length,
      );
      expect(scanPack(torn).map(({ fields }) => fields.id)).toEqual(whole.map(({ id }) => id));
    }
  });
});
