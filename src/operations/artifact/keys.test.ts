import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseManifest, sealManifest } from '../../artifacts/portable/manifest.ts';
import { requireSignature } from '../../artifacts/portable/signature.ts';
import { sampleFacts } from '../../artifacts/portable/testing/sample.ts';
import type { ArtifactsSettings } from '../../config/artifact-settings.ts';
import { testSettings } from '../../config/testing/settings.ts';
import { SecretStore } from '../../state/secret-store.ts';
import { signerOf, verifyKeysOf } from './keys.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keys-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function settingsWith(changes: Partial<ArtifactsSettings>) {
  const settings = testSettings(directory, { stateDirectory: directory });
  return { ...settings, artifacts: { ...settings.artifacts, ...changes } };
}

const NO_KEY = { hmacSecret: null, privateKeyPath: null, publicKey: null };
const signingWith = (key: object) => settingsWith({ signWith: { ...NO_KEY, ...key } });
const verifyingWith = (...keys: object[]) =>
  settingsWith({ verifyWith: keys.map((key) => ({ ...NO_KEY, ...key })) });

describe('keys of artifacts', () => {
  it('C-D7: a secret signs and verifies by its name; its value is in no manifest', async () => {
    await new SecretStore(directory).set('artifacts', Buffer.from('hush'), 0);
    const sign = await signerOf(signingWith({ hmacSecret: 'artifacts' }));
    const { text } = sealManifest(sampleFacts('x'), sign);
    expect(text).not.toContain('hush');
    const keys = await verifyKeysOf(verifyingWith({ hmacSecret: 'artifacts' }));
    const manifest = parseManifest(text, 'x');
    expect(manifest.signature).toMatchObject({ algorithm: 'hmac-sha256', key: 'artifacts' });
    expect(() => requireSignature(manifest, keys, 'x')).not.toThrow();
    await new SecretStore(directory).set('artifacts', Buffer.from('another'), 0);
    const others = await verifyKeysOf(verifyingWith({ hmacSecret: 'artifacts' }));
    expect(() => requireSignature(manifest, others, 'x')).toThrow();
  });

  it('C-D7: a secret that is configured and not there is an error, not a pass', async () => {
    const missing = { hmacSecret: 'none' };
    await expect(signerOf(signingWith(missing))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(verifyKeysOf(verifyingWith(missing))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await signerOf(signingWith({}))).toBeNull();
    expect(await verifyKeysOf(verifyingWith())).toEqual([]);
  });

  it('C-D7: an Ed25519 key in a file of its owner alone signs, and its public key verifies', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const privateKeyPath = join(directory, 'artifact.pem');
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    await writeFile(privateKeyPath, pem, { mode: 0o600 });
    const sign = await signerOf(signingWith({ privateKeyPath }));
    const manifest = parseManifest(sealManifest(sampleFacts('x'), sign).text, 'x');
    const shown = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const keys = await verifyKeysOf(verifyingWith({ publicKey: shown }));
    expect(() => requireSignature(manifest, keys, 'x')).not.toThrow();
    await chmod(privateKeyPath, 0o640);
    const open = signerOf(signingWith({ privateKeyPath }));
    await expect(open).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await chmod(privateKeyPath, 0o600);
    await writeFile(privateKeyPath, 'SECRET that is no key');
    const broken = signerOf(signingWith({ privateKeyPath }));
    await expect(broken).rejects.toThrow('it is no Ed25519 private key');
    await expect(broken).rejects.not.toThrow('SECRET');
  });
});
