import { createHash, generateKeyPairSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ArtifactSettings } from '../../config/artifact-settings.ts';
import { objectOf } from '../../config/option.ts';
import { artifactOptions } from '../../config/options/artifact-options.ts';
import { quietActivity } from '../../kernel/activity.ts';
import { HoldfastError } from '../../kernel/errors.ts';
import { canonicalJson } from '../../store/format/canonical-json.ts';
import {
  type ArtifactFacts,
  parseManifest,
  sealManifest,
  sha256Of,
  signedBytes,
} from './manifest.ts';
import { type ArtifactKey, publicKeyName, signatureOf } from './signature.ts';
import { piecesOf, sampleFacts } from './testing/sample.ts';
import { verifyArtifact } from './verify-artifact.ts';

const PAYLOAD = 'the payload';
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'artifact-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const expecting = (changes: Partial<ArtifactSettings>): ArtifactSettings => ({
  ...objectOf(artifactOptions).parse({ database: 'data/app.db' }),
  ...changes,
});

interface Verifying {
  readonly payload?: readonly string[];
  readonly keys?: readonly ArtifactKey[];
  readonly settings?: ArtifactSettings | null;
  readonly force?: boolean;
  readonly copyTo?: string;
  readonly digest?: string;
}

function verify(manifestText: string, verifying: Verifying = {}) {
  const { payload = [PAYLOAD], keys = [], settings = null, force = false } = verifying;
  const { copyTo = null, digest = null } = verifying;
  return verifyArtifact(
    { name: 'a.snap', manifestText, digest, payload: () => piecesOf(...payload) },
    { keys, settings, force, copyTo, activity: quietActivity() },
  );
}

/** The gate that refuses; null where all let it pass; the code where it was no gate. */
async function refusal(text: string, verifying?: Verifying): Promise<unknown> {
  try {
    await verify(text, verifying);
    return null;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return error.code === 'VERIFY_FAILED' ? error.details?.['gate'] : error.code;
  }
}

const sealed = (changes: Partial<ArtifactFacts> = {}): string =>
  sealManifest(sampleFacts(PAYLOAD, changes), null).text;

/** As somebody would who knows how a digest is made. */
function forged(change: (document: Record<string, unknown>) => void): string {
  const document = JSON.parse(sealed()) as Record<string, unknown>;
  change(document);
  document['digest'] = sha256Of(signedBytes(document as never));
  return canonicalJson(document);
}

describe('the gates', () => {
  it('C-04, C-07, C-11, F18: let an artifact pass, and refuse each in its order with VERIFY_FAILED and the gate', async () => {
    const settings = expecting({ modelVersion: 1, schemaVersion: 3, schemaRule: 'equal' });
    expect(await refusal(sealed(), { settings })).toBeNull();
    // Each text is wrong at its own gate and at every one behind it.
    const wrong: [string, string, Verifying][] = [
      ['kind', forged((each) => Object.assign(each, { kind: 'x', format: 9, bytes: -1 })), {}],
      ['format', forged((each) => Object.assign(each, { format: 2, bytes: -1 })), {}],
      ['format', forged((each) => Object.assign(each, { payloadFormat: 'x', bytes: -1 })), {}],
      ['manifest', forged((each) => Object.assign(each, { bytes: -1 })), {}],
      ['signature', sealed({ checksum: sha256Of('other') }), { keys: [hmacKey('k')] }],
      ['checksum', sealed({ checksum: sha256Of('other'), modelVersion: 9 }), {}],
      ['model', sealed({ modelVersion: 2, schemaVersion: 2 }), {}],
      ['schema', sealed({ schemaVersion: 2 }), {}],
    ];
    for (const [gate, text, verifying] of wrong) {
      expect(await refusal(text, { settings, ...verifying }), gate).toBe(gate);
    }
  });

  it('C-05, C-06: know their kinds and formats from a registry; others are refused', async () => {
    for (const payloadFormat of ['sqlite-file', 'sqldump', 'jsonl-tables'] as const) {
      expect(await refusal(sealed({ payloadFormat }))).toBeNull();
    }
    expect(await refusal(forged((each) => Object.assign(each, { kind: 'bootstrap' })))).toBe(
      'kind',
    );
    expect(await refusal(forged((each) => delete each['kind']))).toBe('kind');
    expect(await refusal(forged((each) => Object.assign(each, { format: '1' })))).toBe('format');
  });

  it('C-D7: the manifest covers each of its own members: whatever is changed, added or taken away is refused', async () => {
    const document = JSON.parse(sealed()) as Record<string, unknown>;
    for (const name of Object.keys(document).filter((each) => each !== 'signature')) {
      const { [name]: value, ...others } = document;
      expect(await refusal(canonicalJson(others)), `without ${name}`).not.toBeNull();
      const other =
        typeof value === 'number' ? value + 1 : typeof value === 'string' ? `${value}0` : null;
      const changed = canonicalJson({ ...others, [name]: other });
      expect(await refusal(changed), `other ${name}`).not.toBeNull();
    }
    expect(await refusal(canonicalJson({ ...document, extra: 1 }))).toBe('manifest');
    expect(await refusal(forged((each) => Object.assign(each, { extra: 1 })))).toBe('manifest');
    expect(await refusal('{"kind":')).toBe('manifest');
    expect(await refusal('[]')).toBe('manifest');
  });

  it('C-D7: any byte of manifest or payload that is changed is noticed', async () => {
    const text = sealed();
    await fc.assert(
      fc.asyncProperty(
        fc.nat(text.length - 2),
        fc.integer({ min: 33, max: 126 }),
        async (at, code) => {
          const changed = `${text.slice(0, at)}${String.fromCharCode(code)}${text.slice(at + 1)}`;
          fc.pre(changed !== text);
          expect(await refusal(changed)).not.toBeNull();
        },
      ),
      { numRuns: 300 },
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(PAYLOAD.length - 1), async (at) => {
        const changed = `${PAYLOAD.slice(0, at)}#${PAYLOAD.slice(at + 1)}`;
        expect(await refusal(text, { payload: [changed] })).toBe('checksum');
      }),
    );
  });

  it('C-21, C-D12: a payload that is cut short, longer or other leaves no copy; one that passes is copied as it streams', async () => {
    const copyTo = join(directory, 'copy');
    for (const payload of [['the pay'], [PAYLOAD, 'x'], ['The payload'], []]) {
      expect(await refusal(sealed(), { payload, copyTo })).toBe('checksum');
      expect(existsSync(copyTo)).toBe(false);
    }
    expect(
      await refusal(sealed({ modelVersion: 2 }), {
        copyTo,
        settings: expecting({ modelVersion: 1 }),
      }),
    ).toBe('model');
    expect(existsSync(copyTo)).toBe(false);
    await verify(sealed(), { payload: ['the ', 'pay', 'load'], copyTo });
    expect(await readFile(copyTo, 'utf8')).toBe(PAYLOAD);
    expect((await stat(copyTo)).mode & 0o777).toBe(0o600);
  });

  it('C-D12: a payload of 256 MiB is never held: it streams', async () => {
    const blocks = 256;
    const blockBytes = 1024 * 1024;
    const hash = createHash('sha256');
    for (let n = 0; n < blocks; n += 1) hash.update(Buffer.alloc(blockBytes, n));
    const checksum = `sha256:${hash.digest('hex')}`;
    const manifestText = sealed({ checksum, bytes: blocks * blockBytes });
    const before = process.memoryUsage().arrayBuffers;
    let mostHeld = 0;
    async function* payload(): AsyncGenerator<Uint8Array> {
      for (let n = 0; n < blocks; n += 1) {
        yield Buffer.alloc(blockBytes, n);
        mostHeld = Math.max(mostHeld, process.memoryUsage().arrayBuffers - before);
      }
    }
    const options = { keys: [], settings: null, force: false, copyTo: null };
    const artifact = { name: 'a.snap', manifestText, digest: null, payload };
    await verifyArtifact(artifact, { ...options, activity: quietActivity() });
    expect(mostHeld).toBeLessThan(128 * blockBytes);
  });

  it('C-D13: what an alias stands for is refused where its manifest is another one', async () => {
    const { digest } = parseManifest(sealed(), 'a');
    expect(await refusal(sealed(), { digest })).toBeNull();
    expect(await refusal(sealed({ cursor: '1' }), { digest })).toBe('manifest');
  });
});

describe('versions', () => {
  it('C-11, C-21: fit by equal, same-major or min; a version bump alone is refused', async () => {
    const of = (modelVersion: number | string | null, settings: Partial<ArtifactSettings>) =>
      refusal(sealed({ modelVersion }), { settings: expecting(settings) });
    expect(await of(1, { modelVersion: 1 })).toBeNull();
    expect(await of(2, { modelVersion: 1 })).toBe('model');
    expect(await of(null, { modelVersion: 1 })).toBe('model');
    expect(await of(7, { modelVersion: null })).toBeNull();
    const major = { modelVersion: '2.5', modelRule: 'same-major' } as const;
    expect(await of('2.1.9', major)).toBeNull();
    expect(await of(2, major)).toBeNull();
    expect(await of('3.5', major)).toBe('model');
    const min = { modelVersion: '2.5', modelVersionMin: '2.2', modelRule: 'min' } as const;
    expect(await of('2.10', min)).toBe('model');
    expect(await of('2.1', min)).toBe('model');
    expect(await of('2.2.0', min)).toBeNull();
    expect(await of('2.5', min)).toBeNull();
  });

  it('C-D6: a newer schema is SCHEMA_TOO_NEW unless forced, an older one is left to migrations', async () => {
    const of = (schemaVersion: number, force = false, settings: Partial<ArtifactSettings> = {}) =>
      refusal(sealed({ schemaVersion }), {
        settings: expecting({ schemaVersion: 3, ...settings }),
        force,
      });
    expect(await of(4)).toBe('SCHEMA_TOO_NEW');
    expect(await of(4, true)).toBeNull();
    expect(await of(4, false, { schemaRule: 'same-major' })).toBe('SCHEMA_TOO_NEW');
    expect(await of(2)).toBeNull();
    expect(await of(2, false, { schemaVersionMin: 3 })).toBe('schema');
    // Force is for what is newer, not for what does not fit.
    expect(await of(2, true, { schemaRule: 'equal' })).toBe('schema');
  });
});

const hmacKey = (name: string): ArtifactKey => ({
  algorithm: 'hmac-sha256',
  name,
  secret: Buffer.from(`secret of ${name}`),
});

describe('signatures', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const other = generateKeyPairSync('ed25519');
  const signedWith = (key: ArtifactKey) =>
    sealManifest(sampleFacts(PAYLOAD), (bytes) => signatureOf(bytes, key, 'k')).text;
  const own: ArtifactKey = { algorithm: 'ed25519', key: publicKey };

  it('C-D7: where a key is configured, what is unsigned, wrongly signed or forged is refused', async () => {
    for (const [signer, verifier, stranger] of [
      [hmacKey('a'), hmacKey('a'), hmacKey('b')],
      [
        { algorithm: 'ed25519', key: privateKey },
        own,
        { algorithm: 'ed25519', key: other.publicKey },
      ],
    ] as [ArtifactKey, ArtifactKey, ArtifactKey][]) {
      const text = signedWith(signer);
      expect(await refusal(text, { keys: [verifier] })).toBeNull();
      expect(await refusal(text, { keys: [stranger, verifier] })).toBeNull();
      expect(await refusal(text, { keys: [stranger] })).toBe('signature');
      expect(await refusal(sealed(), { keys: [verifier] })).toBe('signature');
      // A digest that was made again does not help.
      const document = JSON.parse(text) as Record<string, unknown>;
      document['cursor'] = '7';
      document['digest'] = sha256Of(signedBytes(document as never));
      expect(await refusal(canonicalJson(document), { keys: [verifier] })).toBe('signature');
      expect(await refusal(canonicalJson(document))).toBeNull();
    }
    expect(await refusal(signedWith(hmacKey('a')), { keys: [own] })).toBe('signature');
    expect(publicKeyName(publicKey)).toMatch(/^[0-9a-f]{16}$/);
  });
});
