import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SECRET_BYTES_MAX, SECRETS_MAX, SECRETS_NAME, SecretStore } from './secret-store.ts';

let directory: string;
let secrets: SecretStore;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-secrets-'));
  secrets = new SecretStore(directory);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const path = () => join(directory, SECRETS_NAME);
const value = Buffer.from('correct horse battery staple');

describe('F08: secrets', () => {
  it('are kept in a file of the owner alone, and listed by name and time', async () => {
    await secrets.set('app-key', value, 0);
    await secrets.set('other', Buffer.from([0, 255, 10]), 1_000);
    expect((await stat(path())).mode & 0o777).toBe(0o600);
    expect(await secrets.list()).toEqual([
      { name: 'app-key', setAt: '1970-01-01T00:00:00.000Z' },
      { name: 'other', setAt: '1970-01-01T00:00:01.000Z' },
    ]);
    const again = new SecretStore(directory);
    expect(await again.read('app-key')).toEqual(value);
    expect(await again.read('other')).toEqual(Buffer.from([0, 255, 10]));
    expect(await again.read('__proto__')).toBeNull();
  });

  it('are cleared one by one', async () => {
    await secrets.set('a', value, 0);
    await secrets.set('b', value, 0);
    await secrets.clear('a');
    expect((await secrets.list()).map(({ name }) => name)).toEqual(['b']);
    await expect(secrets.clear('a')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('set at the same time, all are kept', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `name-${index}`);
    await Promise.all(names.map((name) => secrets.set(name, value, 0)));
    expect((await secrets.list()).length).toBe(20);
  });

  it('are bounded in size and number', async () => {
    expect(() => secrets.set('a', Buffer.alloc(SECRET_BYTES_MAX + 1), 0)).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED' }),
    );
    const many = Object.fromEntries(
      Array.from({ length: SECRETS_MAX }, (_, index) => [`n${index}`, { setAt: '', value: '' }]),
    );
    await writeFile(path(), JSON.stringify({ format: 1, secrets: many }));
    await expect(secrets.set('more', value, 0)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });
});

describe('M-55: a failed read never becomes an overwrite', () => {
  it.each([
    ['torn', '{"format": 1, "secrets": {"a": {"setAt": "", "value": "c2Vj'],
    ['empty', ''],
    ['of another format', '{"format": 2, "secrets": {}}'],
    ['no text at all', '\u0000\u0001'],
  ])('a file that is %s is left as it is', async (_, content) => {
    await writeFile(path(), content);
    await expect(secrets.set('b', value, 0)).rejects.toMatchObject({ code: 'IO_ERROR' });
    await expect(secrets.clear('a')).rejects.toMatchObject({ code: 'IO_ERROR' });
    await expect(secrets.list()).rejects.toMatchObject({ code: 'IO_ERROR' });
    expect(await readFile(path(), 'utf8')).toBe(content);
  });

  it('F08: the error tells nothing of what is in the file', async () => {
    await writeFile(path(), '{"format": 1, "secrets": {"a": "hunter2hunter2"}');
    const error = await secrets.list().catch((reason: unknown) => reason);
    expect(inspect(error, { depth: 9 })).not.toContain('hunter2');
  });
});
