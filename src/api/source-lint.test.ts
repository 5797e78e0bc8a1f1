import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseRetention } from '../config/retention-policy.ts';
import type { SourceSettings } from '../config/settings.ts';
import { testSettings, testSource } from '../config/testing/settings.ts';
import { lintSources } from './source-lint.ts';
import { QUIET_FACTS } from './testing/api-fixture.ts';

let directory: string;
beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-lint-')));
  for (const name of ['data', 'data/inner', 'repository']) await mkdir(join(directory, name));
  await writeFile(join(directory, 'data/app.db'), 'x');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const root = (path: string, name: string | null = null) => ({
  class: name === null ? ('data' as const) : ('extra' as const),
  name,
  path: join(directory, path),
  required: true,
});

function sourceOf(changes: Partial<SourceSettings> = {}): SourceSettings {
  const watch = { ...testSource().watch, enabled: true };
  return testSource({ roots: [root('data')], watch, ...changes });
}

/** Codes of all warnings but that everything here is on one disk. */
async function codes(sources: readonly SourceSettings[], databases: string[] = []) {
  const facts = () => ({
    ...QUIET_FACTS,
    databases: databases.map((path) => ({
      path,
      state: 'ok' as const,
      reason: null,
      checkedAt: null,
      reportId: null,
    })),
  });
  const settings = testSettings(directory, { sources });
  const warnings = await lintSources({ sourceFacts: facts }, settings, null);
  return warnings.map(({ code }) => code).filter((code) => code !== 'SAME_FILE_SYSTEM');
}

describe('source.lint', () => {
  it('has nothing to say of a plain source, but that the repository is on its disk', async () => {
    expect(await codes([sourceOf()])).toEqual([]);
    const settings = testSettings(directory, { sources: [sourceOf()] });
    const [warning] = await lintSources({ sourceFacts: () => QUIET_FACTS }, settings, null);
    expect(warning).toMatchObject({ code: 'SAME_FILE_SYSTEM', sourceId: 'app' });
  });

  it('F10, Z-D31: roots that overlap, within a source and across sources', async () => {
    const within = sourceOf({ roots: [root('data'), root('data/inner', 'inner')] });
    expect(await codes([within])).toEqual(['ROOT_OVERLAP']);
    const other = sourceOf({ id: 'other', name: 'other', roots: [root('data')] });
    expect(await codes([sourceOf(), other])).toEqual(['ROOT_OVERLAP', 'ROOT_OVERLAP']);
  });

  it('a missing root, and rules that select nothing', async () => {
    expect(await codes([sourceOf({ roots: [root('gone')] })])).toEqual(['ROOT_MISSING']);
    expect(await codes([sourceOf({ include: ['data/*.yaml'] })])).toEqual(['NOTHING_SELECTED']);
  });

  it('a database that the rules leave out', async () => {
    const database = join(directory, 'data/app.db');
    await writeFile(join(directory, 'data/other'), 'x');
    expect(await codes([sourceOf({ exclude: ['data/*.db'] })], [database])).toEqual([
      'DATABASE_EXCLUDED',
    ]);
    expect(await codes([sourceOf()], [database])).toEqual([]);
  });

  it('Z-01: nothing that takes snapshots by itself', async () => {
    expect(await codes([sourceOf({ watch: testSource().watch })])).toEqual(['NO_TRIGGER']);
    expect(await codes([sourceOf({ enabled: false })])).toEqual(['SOURCE_DISABLED']);
  });

  it('M-48: hourly snapshots are kept that nothing takes', async () => {
    const keep = retentionOf({ keepHourly: 24 });
    const schedules = testSource({}).schedules;
    const hourly = { retention: keep, watch: testSource().watch, schedules };
    expect(await codes([sourceOf(hourly)])).toContain('KEEP_HOURLY_UNUSED');
    expect(await codes([sourceOf({ retention: keep })])).toEqual([]);
  });

  it('F56: a key that is among the data, and one that is not there', async () => {
    await writeFile(join(directory, 'data/key'), 'x');
    const key = (path: string) => ({ name: 'app', path: join(directory, path), secret: null });
    expect(await codes([sourceOf({ keys: [key('data/key')] })])).toEqual(['KEY_INSIDE']);
    expect(await codes([sourceOf({ keys: [key('nowhere')] })])).toEqual(['KEY_MISSING']);
  });
});

const retentionOf = (rules: Record<string, unknown>) => parseRetention(rules)!;
