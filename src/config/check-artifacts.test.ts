import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadSettings } from './load-settings.ts';
import type { Settings } from './settings.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-artifacts-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function load(
  artifacts: object[],
  rest: object = {},
  others: object[] = [],
): Promise<Settings> {
  const file = join(directory, 'holdfast.json');
  const document = {
    stateDirectory: join(directory, 'state'),
    repositoryDirectory: join(directory, 'repository'),
    ...rest,
    sources: [{ name: 'app', roots: ['/srv/app'], artifacts }, ...others],
  };
  await writeFile(file, JSON.stringify(document));
  return loadSettings({}, { HOME: directory, HOLDFAST_CONFIG: file });
}

const APP = { database: 'data/app.db' };

/** The message with which a configuration is refused. */
async function refusal(...given: Parameters<typeof load>): Promise<string> {
  return load(...given).then(
    () => 'accepted',
    (error: Error & { code: string }) => `${error.code} ${error.message}`,
  );
}

describe('settings of artifacts', () => {
  it('F18, F19: have defaults that gate nothing, and leave bootstrapping off', async () => {
    const { sources, artifacts } = await load([APP]);
    expect(artifacts).toEqual({
      store: { type: 'file', path: null },
      keyPrefix: 'snapshots/',
      signWith: { hmacSecret: null, privateKeyPath: null },
      verifyWith: [],
    });
    expect(sources[0]!.artifacts[0]).toMatchObject({
      ...{ modelVersion: null, modelRule: 'equal', schemaVersion: null, schemaRule: 'min' },
      ...{ fresh: 'no-tables', alias: 'snapshots/latest', bootstrapRef: null, bootstrapPath: null },
    });
  });

  it('C-19: an unknown backend is refused, and named with those that there are', async () => {
    const message = await refusal([], { artifacts: { store: { type: 's3' } } });
    expect(message).toContain('CONFIG_INVALID');
    expect(message).toContain('artifacts.store.type: expected one of "file"');
  });

  it('C-19, C-D7: a store inside the repository, two keys at once, and what is no key are refused', async () => {
    const inside = { store: { path: join(directory, 'repository/artifacts') } };
    expect(await refusal([], { artifacts: inside })).toContain('inside the repository');
    const two = { signWith: { hmacSecret: 'a', privateKeyPath: '/b' } };
    expect(await refusal([], { artifacts: two })).toContain('expected either "hmacSecret"');
    expect(await refusal([], { artifacts: { verifyWith: [{}] } })).toContain('expected either');
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
    const publicKey = rsa.export({ type: 'spki', format: 'pem' });
    const wrong = { verifyWith: [{ publicKey }] };
    expect(await refusal([], { artifacts: wrong })).toContain('expected an Ed25519 public key');
  });

  it('F18: a database is described once, lies in a root, and has one place to come from', async () => {
    expect(await refusal([APP, { ...APP, alias: null }])).toContain('a second artifact');
    expect(await refusal([{ database: 'config/app.db' }])).toContain('it lies in no root');
    const both = { ...APP, bootstrapRef: 'a/latest', bootstrapPath: '/b' };
    expect(await refusal([both])).toContain('expected either "bootstrapRef"');
    expect(await refusal([{ ...APP, bootstrapRef: '../latest' }])).toContain('expected a name');
    expect(await refusal([{ ...APP, modelVersionMin: 1 }])).toContain('modelRule: min');
    expect(await refusal([{ ...APP, modelVersion: 'two' }])).toContain('modelVersion');
  });

  it('F19: one alias cannot stand for two databases', async () => {
    const other = { name: 'other', roots: ['/srv/other'], artifacts: [APP] };
    expect(await refusal([APP], {}, [other])).toContain('already stands for data/app.db of app');
    const named = { ...other, artifacts: [{ ...APP, alias: 'other/latest' }] };
    expect(await refusal([APP], {}, [named])).toBe('accepted');
  });
});
