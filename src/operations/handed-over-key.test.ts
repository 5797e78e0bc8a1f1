import { rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { testSettings } from '../config/testing/settings.ts';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { initRepository, unlockRepository } from '../store/repository.ts';
import { convert } from './convert.ts';
import { repositoryKey, takeMasterKey } from './repository-key.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-handed-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it('a worker that was handed the master key of before a conversion opens what it came to; another repository it refuses', async () => {
  const keyFile = join(directory, 'key');
  writeFileSync(keyFile, 'ab'.repeat(32), { mode: 0o600 });
  const settings = {
    ...testSettings(directory),
    repositoryKey: { keyFile, passphraseFile: null, secret: null },
  };
  const { repositoryDirectory: path } = settings;
  const configured = (await repositoryKey(settings))!;
  await initRepository(path, { clock: systemClock, key: configured });
  const { repositoryId, bytes } = (await unlockRepository(path, configured))!;
  const context = {
    activity: quietActivity(),
    settings,
    clock: systemClock,
    jobId: 'job',
    scratchDirectory: directory,
  };
  await convert.run(context, convert.params.parse({}));
  takeMasterKey({ masterKey: { repositoryId, hex: bytes.toString('hex') } });
  const key = await repositoryKey(settings);
  expect(key).toMatchObject({ kind: 'keyFile' });
  expect((await unlockRepository(path, key))!.repositoryId).not.toBe(repositoryId);
  // One that the same key opens as well, put in its place.
  await rm(path, { recursive: true });
  await initRepository(path, { clock: systemClock, key: configured });
  const refused = await repositoryKey(settings);
  expect(refused).toMatchObject({ kind: 'master', repositoryId });
  await expect(unlockRepository(path, refused)).rejects.toMatchObject({ code: 'KEY_WRONG' });
});
