import { describe, expect, it } from 'vitest';
import { parseConfig } from './config-file.ts';
import { configurationSchema } from './options.ts';
import { resolveSources } from './resolve-sources.ts';
import { ProblemList } from './validate-configuration.ts';

const own = { stateDirectory: '/nowhere/state', repositoryDirectory: '/nowhere/repository' };

async function problemsOf(migrations: readonly object[]): Promise<string[]> {
  const document = { sources: [{ name: 'app', roots: ['/srv/app'], migrations }] };
  const list = new ProblemList(parseConfig(JSON.stringify(document), 'x').locate, new Map());
  const { success, data, error } = configurationSchema.safeParse(document);
  if (!success) return error.issues.map(({ message }) => message);
  await resolveSources({ sources: data.sources, retention: null }, own, list);
  return list.problems.map(({ message }) => message);
}

const entry = { database: 'data/app.db', directory: '/usr/lib/app/migrations' };

describe('migrations of a source', () => {
  it('F36: name one database each, and a directory that is absolute', async () => {
    expect(await problemsOf([entry, { ...entry, database: 'data/other.db' }])).toEqual([]);
    expect(await problemsOf([entry, entry])).toEqual(['a second entry for "data/app.db"']);
    expect(await problemsOf([{ ...entry, directory: 'migrations' }])).toEqual([
      'expected an absolute path',
    ]);
  });

  it('F36: a version is written by what is read, and assumed as a semantic version', async () => {
    const versionStatement = 'UPDATE v SET v = @version';
    expect(await problemsOf([{ ...entry, versionStatement }])).toEqual([
      'it needs a "versionQuery" that reads what it writes',
    ]);
    expect(
      await problemsOf([{ ...entry, versionStatement, versionQuery: 'SELECT v FROM v' }]),
    ).toEqual([]);
    expect(await problemsOf([{ ...entry, assumeVersion: '1' }])).toEqual([
      'expected a semantic version such as 1.0.0',
    ]);
    expect(await problemsOf([{ ...entry, assumeVersion: '0.0.0' }])).toEqual([]);
  });
});
