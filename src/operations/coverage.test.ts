import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SourceSettings } from '../config/settings.ts';
import { testSettings, testSource } from '../config/testing/settings.ts';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { coverage } from './coverage.ts';
import { discover } from './discover.ts';
import type { OperationContext } from './operation.ts';

let directory: string;
beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-coverage-')));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function put(path: string, bytes = 10): Promise<void> {
  await mkdir(dirname(join(directory, path)), { recursive: true });
  await writeFile(join(directory, path), Buffer.alloc(bytes, 'x'));
}

async function database(path: string): Promise<void> {
  await mkdir(dirname(join(directory, path)), { recursive: true });
  const opened = new Database(join(directory, path));
  opened.exec('CREATE TABLE t (x)');
  opened.close();
}

function contextOf(changes: Partial<SourceSettings> = {}): OperationContext {
  const roots = [
    { class: 'data' as const, name: null, path: join(directory, 'data'), required: true },
  ];
  return {
    activity: quietActivity(),
    settings: testSettings(directory, { sources: [testSource({ roots, ...changes })] }),
    clock: systemClock,
    jobId: 'job',
    scratchDirectory: directory,
  };
}

describe('F55, T-D11: coverage', () => {
  it('counts every file under the roots, captured or not, and says why', async () => {
    await database('data/app.db');
    await put('data/messages-v2/one');
    await put('data/messages-v2/deep/two', 30);
    await put('data/receipts/r');
    await put('data/cache/deep/c', 7);
    await put('data/big', 5000);
    const result = await coverage.run(
      contextOf({ exclude: ['data/messages-v2/**'], maxFileBytes: 1000 }),
      { sourceId: 'app' },
    );
    expect(result).toMatchObject({
      sourceId: 'app',
      captured: { files: 2, databases: 1 },
      notCaptured: {
        files: 4,
        byReason: { excluded: { files: 3, bytes: 47 }, 'too-large': { files: 1, bytes: 5000 } },
      },
      truncated: false,
    });
    const paths = (result['items'] as { path: string }[]).map(({ path }) => path).sort();
    expect(paths).toEqual([
      'data/big',
      'data/cache/deep/c',
      'data/messages-v2/deep/two',
      'data/messages-v2/one',
    ]);
  });

  it('names files that no include pattern names, and patterns that name no file', async () => {
    await put('data/a/one');
    await put('data/b/two');
    const result = await coverage.run(contextOf({ include: ['data/a', 'data/c'] }), {
      sourceId: 'app',
    });
    expect(result).toMatchObject({
      captured: { files: 1 },
      items: [{ path: 'data/b/two', reason: 'not-included', bytes: 10 }],
      unmatchedIncludes: ['data/c'],
    });
  });

  it('lists a bounded number and counts all', async () => {
    for (let index = 0; index < 1010; index += 1) await put(`data/out/${index}`, 1);
    const result = await coverage.run(contextOf({ exclude: ['data/out'] }), { sourceId: 'app' });
    expect(result).toMatchObject({ notCaptured: { files: 1010 }, truncated: true });
    expect((result['items'] as unknown[]).length).toBe(1000);
  });
});

describe('F13: databases below a directory', () => {
  it('Z-42: are found by header, to a depth, sorted; of a missing directory, none', async () => {
    await database('data/b.txt');
    await database('data/a/deep.db');
    await put('data/c.db', 100);
    const run = (place: string, depth: number) =>
      discover.run(contextOf(), { directory: join(directory, place), depth });
    expect(await run('data', 8)).toMatchObject({
      databases: [join(directory, 'data/a/deep.db'), join(directory, 'data/b.txt')],
      count: 2,
    });
    expect(await run('data', 0)).toMatchObject({ databases: [join(directory, 'data/b.txt')] });
    expect(await run('nowhere', 8)).toMatchObject({ databases: [], count: 0 });
  });
});
