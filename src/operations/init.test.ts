import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Settings } from '../config/settings.ts';
import { testSettings } from '../config/testing/settings.ts';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { SecretStore } from '../state/secret-store.ts';
import { openReader } from '../store/repository.ts';
import { init } from './init.ts';
import { readKey } from './repository-key.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-init-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function run(encrypt = false, repositoryKey: Settings['repositoryKey'] = null) {
  const context = {
    activity: quietActivity(),
    settings: { ...testSettings(directory), repositoryKey },
    clock: systemClock,
    jobId: 'job',
    scratchDirectory: directory,
  };
  return init.run(context, { encrypt });
}

it('F51, M-53, M-04: makes a repository once, and leaves it alone afterwards', async () => {
  const first = await run();
  const path = join(directory, 'repository', 'holdfast.json');
  const written = readFileSync(path);
  expect(await run()).toEqual(first);
  expect(readFileSync(path)).toEqual(written);
});

it('M-53: refuses a folder with the files of somebody else, and touches none', async () => {
  mkdirSync(join(directory, 'repository'));
  writeFileSync(join(directory, 'repository', 'letter.txt'), 'dear');
  await expect(run()).rejects.toMatchObject({ code: 'TARGET_NOT_EMPTY' });
  expect(readFileSync(join(directory, 'repository', 'letter.txt'), 'utf8')).toBe('dear');
});

const byFile = (keyFile: string) => ({ keyFile, passphraseFile: null, secret: null });

it('an encrypted repository gets a private key file made for it, once, and opens with nothing else', async () => {
  const keyFile = join(directory, 'key');
  const made = await run(true, byFile(keyFile));
  expect(made).toMatchObject({ encrypted: true, keyFileMade: keyFile });
  expect(statSync(keyFile).mode & 0o777).toBe(0o600);
  const written = readFileSync(keyFile, 'utf8');
  expect(written).toMatch(/^[0-9a-f]{64}\n$/);
  expect(await run(true, byFile(keyFile))).toMatchObject({ keyFileMade: null });
  expect(readFileSync(keyFile, 'utf8')).toBe(written);
  const path = join(directory, 'repository');
  const key = await readKey(byFile(keyFile), directory);
  (await openReader(path, key)).close();
  await expect(openReader(path)).rejects.toMatchObject({ code: 'KEY_REQUIRED' });
  // Never a new key for a repository that another one opens.
  rmSync(keyFile);
  await expect(run(true, byFile(keyFile))).rejects.toMatchObject({ code: 'KEY_REQUIRED' });
});

it('encryption is refused where no key is configured, and nothing is made', async () => {
  await expect(run(true)).rejects.toMatchObject({ code: 'KEY_REQUIRED' });
  expect(() => statSync(join(directory, 'repository'))).toThrow();
});

it('a key that others may read, that is cut, or a passphrase of a few letters is refused by name, its content never told', async () => {
  const file = join(directory, 'secret-file');
  const asPassphrase = { keyFile: null, passphraseFile: file, secret: null };
  const refused = async (content: string, mode: number, settings: object, state: RegExp) => {
    writeFileSync(file, content);
    chmodSync(file, mode);
    const attempt = readKey(settings as ReturnType<typeof byFile>, directory);
    const error = await attempt.catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: 'KEY_REQUIRED', message: expect.stringMatching(state) });
    expect(JSON.stringify(error)).not.toContain(content);
  };
  await refused('ab'.repeat(32), 0o640, byFile(file), /others may read/);
  await refused('ab'.repeat(31), 0o600, byFile(file), /62 bytes are no key/);
  await refused('tooshort', 0o600, asPassphrase, /only 8 bytes/);
  await refused('correct horse\nbattery staple\n', 0o600, asPassphrase, /more than one line/);
  const secret = { keyFile: null, passphraseFile: null, secret: 'none' };
  await expect(readKey(secret, directory)).rejects.toMatchObject({ code: 'KEY_REQUIRED' });
});

it('a passphrase may be a secret, with or without the end of its line', async () => {
  const phrase = 'six words that nobody would guess';
  await new SecretStore(directory).set('repository', Buffer.from(`${phrase}\n`), 0);
  const settings = { keyFile: null, passphraseFile: null, secret: 'repository' };
  const key = await readKey(settings, directory);
  expect(key).toEqual({ kind: 'passphrase', bytes: Buffer.from(phrase) });
});
