import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { mayHaveLeftBehind, type OwnDirectories } from './left-behind.ts';

let root: string;
let own: OwnDirectories;
const LATER_MS = Date.now() + 3_600_000;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-left-'));
  own = { stateDirectory: join(root, 'state'), repositoryDirectory: join(root, 'repository') };
  for (const name of ['scratch', 'swaps', 'staging', 'quarantine/01', 'recovery/x']) {
    mkdirSync(join(own.stateDirectory, name), { recursive: true });
  }
  for (const name of ['state.db', 'state.db-wal', 'instance.lock', 'checks.json']) {
    writeFileSync(join(own.stateDirectory, name), '');
  }
  for (const name of ['packs/ab', 'snapshots', 'notes', 'removed', 'tmp']) {
    mkdirSync(join(own.repositoryDirectory, name), { recursive: true });
  }
  for (const name of ['holdfast.json', 'catalog.db']) {
    writeFileSync(join(own.repositoryDirectory, name), '');
  }
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

it('nothing is left behind where every place of work is empty', async () => {
  expect(await mayHaveLeftBehind(own, LATER_MS)).toBe(false);
});

it.each([
  'state/scratch/job-1',
  'state/swaps/01',
  'state/swaps-set-aside/01',
  'state/staging/.holdfast-staging-0123456789abcdef.json',
  'state/stopped-services/app.json',
  'state/pending-restores/01.applied',
  'state/quarantine/.partial-01',
  'state/migrations.db',
  'state/of-another-version/file',
  'repository/tmp/half.pack',
])('%s may have been left behind', async (path) => {
  const place = join(root, path);
  mkdirSync(join(place, '..'), { recursive: true });
  writeFileSync(place, '');
  expect(await mayHaveLeftBehind(own, LATER_MS)).toBe(true);
});

it.each(['catalog.db', 'holdfast.json', 'packs', 'snapshots'])(
  'a repository without its %s is to be put in order',
  async (name) => {
    rmSync(join(own.repositoryDirectory, name), { recursive: true });
    expect(await mayHaveLeftBehind(own, LATER_MS)).toBe(true);
  },
);

it('a repository that somebody touched since is to be put in order', async () => {
  expect(await mayHaveLeftBehind(own, Date.now() - 3_600_000)).toBe(true);
});
