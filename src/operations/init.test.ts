import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { testSettings } from '../config/testing/settings.ts';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { init } from './init.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-init-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function run() {
  const context = {
    activity: quietActivity(),
    settings: testSettings(directory),
    clock: systemClock,
    jobId: 'job',
    scratchDirectory: directory,
  };
  return init.run(context, {});
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
