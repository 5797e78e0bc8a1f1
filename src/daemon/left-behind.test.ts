import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { newDescriptor } from '../store/format/descriptor.ts';
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
  makeData(own.repositoryDirectory);
  describe();
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function makeData(directory: string): void {
  for (const name of ['packs/ab', 'snapshots', 'notes', 'removed', 'tmp']) {
    mkdirSync(join(directory, name), { recursive: true });
  }
  writeFileSync(join(directory, 'catalog.db'), '');
}

function describe(folder: { folder?: string } = {}): void {
  const description = { ...newDescriptor(randomUUID(), null), ...folder };
  writeFileSync(join(own.repositoryDirectory, 'holdfast.json'), JSON.stringify(description));
}

it('nothing is left behind where every place of work is empty', async () => {
  expect(await mayHaveLeftBehind(own, LATER_MS)).toBe(false);
});

it('nor in a repository whose data stand in a folder of their own', async () => {
  const folder = 'data-0123456789abcdef';
  for (const name of ['packs', 'snapshots', 'notes', 'removed', 'tmp', 'catalog.db']) {
    rmSync(join(own.repositoryDirectory, name), { recursive: true });
  }
  makeData(join(own.repositoryDirectory, folder));
  describe({ folder });
  expect(await mayHaveLeftBehind(own, LATER_MS)).toBe(false);
  writeFileSync(join(own.repositoryDirectory, folder, 'tmp', 'half.pack'), '');
  expect(await mayHaveLeftBehind(own, LATER_MS)).toBe(true);
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
