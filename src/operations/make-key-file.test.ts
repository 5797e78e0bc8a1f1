import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { testSettings } from '../config/testing/settings.ts';
import { dieAtStep } from '../files/testing/dying-process.ts';
import { makeKeyFile } from './make-key-file.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'key-file-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

it('a key file is there whole or not at all, wherever its making is cut short; nothing of it lies about', async () => {
  const keyFile = join(home, 'key');
  const repositoryKey = { keyFile, passphraseFile: null, secret: null };
  const settings = testSettings(home, { repositoryKey });
  let died = true;
  for (let n = 1; died; n += 1) {
    await rm(keyFile, { force: true });
    died = await dieAtStep(n, 'after', () => makeKeyFile(settings));
    const before = await readFile(keyFile, 'utf8').catch(() => null);
    if (before !== null) expect(before).toMatch(/^[0-9a-f]{64}\n$/);
    await makeKeyFile(settings);
    const now = await readFile(keyFile, 'utf8');
    expect(now).toMatch(/^[0-9a-f]{64}\n$/);
    if (before !== null) expect(now).toBe(before);
    expect(await readdir(home)).toEqual(['key']);
  }
});
