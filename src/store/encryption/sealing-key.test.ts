import { createDecipheriv, createHash, hkdfSync, scryptSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deriveKeys } from './repository-keys.ts';
import { NONCE_BYTES, SEAL_BYTES, SealingKey } from './sealing-key.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const bytes = fc.uint8Array({ maxLength: 300 });

describe('sealed bytes', () => {
  it.each([
    ['01', '', 'ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271'],
    ['03', 'c2sp.org/XAES-256-GCM', '986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d'],
  ])('are XAES-256-GCM: the known answer under a key of bytes %s', (byte, associated, answer) => {
    const key = new SealingKey(Buffer.from(byte.repeat(32), 'hex'));
    const nonce = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWX');
    const sealed = key.seal(Buffer.from('XAES-256-GCM'), Buffer.from(associated), nonce);
    expect(sealed.subarray(0, NONCE_BYTES).equals(nonce)).toBe(true);
    expect(sealed.toString('hex', NONCE_BYTES)).toBe(answer);
    expect(key.open(sealed, Buffer.from(associated)).toString()).toBe('XAES-256-GCM');
  });

  it('are those of the specification for its 10,000 randomised messages', () => {
    const stream = createHash('shake128', { outputLength: 4_000_000 }).digest();
    let at = 0;
    const take = (length: number): Buffer => stream.subarray(at, (at += length));
    const answers = createHash('shake128', { outputLength: 32 });
    for (let round = 0; round < 10_000; round += 1) {
      const key = new SealingKey(take(32));
      const nonce = take(NONCE_BYTES);
      const plain = take(take(1)[0]!);
      const associated = take(take(1)[0]!);
      answers.update(key.seal(plain, associated, nonce).subarray(NONCE_BYTES));
    }
    expect(answers.digest('hex')).toBe(
      'e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939',
    );
  });

  it('open to what was sealed, and to nothing at all with one bit or one byte changed', () => {
    const key = new SealingKey(Buffer.alloc(32, 9));
    fc.assert(
      fc.property(bytes, bytes, fc.nat(), fc.nat({ max: 7 }), (plain, associated, place, bit) => {
        const sealed = key.seal(plain, associated);
        expect(sealed.length).toBe(plain.length + SEAL_BYTES);
        expect(key.open(sealed, associated).equals(plain)).toBe(true);
        const changed = Buffer.from(sealed);
        changed[place % changed.length]! ^= 1 << bit;
        expect(() => key.open(changed, associated)).toThrow(/Cannot open/);
        expect(() => key.open(sealed.subarray(0, place % sealed.length), associated)).toThrow();
        expect(() => key.open(sealed, Buffer.concat([associated, Buffer.of(0)]))).toThrow();
        const other = new SealingKey(Buffer.alloc(32, 10));
        expect(() => other.open(sealed, associated)).toThrow(/Cannot open/);
      }),
      { numRuns: 300 },
    );
  });

  it('never have the same nonce twice, nor the same bytes for the same content', () => {
    const key = new SealingKey(Buffer.alloc(32, 1));
    const seen = new Set<string>();
    const content = Buffer.from('again and again');
    for (let round = 0; round < 20_000; round += 1) {
      seen.add(key.seal(content, content).toString('latin1', 0, NONCE_BYTES));
    }
    expect(seen.size).toBe(20_000);
  });
});

describe('the primitives of this runtime', () => {
  it('HKDF-SHA-256 gives the answer of RFC 5869, A.1', () => {
    const okm = hkdfSync(
      'sha256',
      Buffer.alloc(22, 0x0b),
      hex('000102030405060708090a0b0c'),
      hex('f0f1f2f3f4f5f6f7f8f9'),
      42,
    );
    expect(Buffer.from(okm).toString('hex')).toBe(
      '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
    );
  });

  it('scrypt gives the answer of RFC 7914, 12', () => {
    const options = { cost: 16_384, blockSize: 8, parallelization: 1, maxmem: 64 * 1024 * 1024 };
    expect(
      scryptSync('pleaseletmein', 'SodiumChloride', 64, options).toString('hex').slice(0, 32),
    ).toBe('7023bdcb3afd7348461c06cd81fd38eb');
  });

  it('AES-256-GCM opens test case 16 of the specification', () => {
    const decipher = createDecipheriv(
      'aes-256-gcm',
      hex('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308'),
      hex('cafebabefacedbaddecaf888'),
    );
    decipher.setAAD(hex('feedfacedeadbeeffeedfacedeadbeefabaddad2'));
    decipher.setAuthTag(hex('76fc6ece0f4e1768cddf8853bb2d551b'));
    const plain = decipher.update(
      hex(
        '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662',
      ),
    );
    decipher.final();
    expect(plain.toString('hex')).toBe(
      'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
    );
  });
});

it('the keys of a repository are all different, and other ones for the same master key elsewhere', () => {
  const master = Buffer.alloc(32, 5);
  const ids = ['01936c3e-1111-7222-8333-444455556666', '01936c3e-1111-7222-8333-444455556667'];
  const keys = ids.flatMap((id) => {
    const { repositoryId: _, ...derived } = deriveKeys(master, id);
    return Object.values(derived).map((key) => Buffer.from(key).toString('hex'));
  });
  expect(new Set(keys).size).toBe(10);
});
