import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { writeFileDurably } from './durable.ts';
import { removeUnfinishedWrites } from './unfinished-writes.ts';

let state: string;
beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'unfinished-writes-'));
});
afterEach(() => rm(state, { recursive: true, force: true }));

const names = async (): Promise<string[]> =>
  (await readdir(state, { recursive: true })).filter((name) => name.includes('.')).sort();

const later = { ...systemClock, nowMs: () => systemClock.nowMs() + 61_000 };

it('what a write that was cut short left goes with the next start, wherever the state directory holds it', async () => {
  await mkdir(join(state, 'recovery'));
  await mkdir(join(state, 'quarantine', '01'), { recursive: true });
  for (const name of ['checks.json', 'recovery/one.json', 'quarantine/01/quarantine.json']) {
    await writeFileDurably(join(state, name), 'old');
    // A dead process does not tidy up: what it wrote stands there still.
    const left = join(state, name.replace(/[^/]+$/, '.left.0123456789ab.tmp'));
    await writeFile(left, 'half');
  }
  expect(await names()).toHaveLength(6);
  expect(await removeUnfinishedWrites(state, systemClock)).toEqual([]);
  expect(await removeUnfinishedWrites(state, later)).toHaveLength(3);
  expect(await names()).toEqual([
    'checks.json',
    'quarantine/01/quarantine.json',
    'recovery/one.json',
  ]);
});

it("somebody's data is left alone, whatever its name", async () => {
  const held = join(state, 'quarantine', '01', '0');
  const staged = join(state, 'staging', '.holdfast-staging-0123456789abcdef');
  for (const folder of [held, staged]) {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, '.theirs.0123456789ab.tmp'), 'theirs');
  }
  await utimes(join(held, '.theirs.0123456789ab.tmp'), 1, 1);
  expect(await removeUnfinishedWrites(state, later)).toEqual([]);
});
