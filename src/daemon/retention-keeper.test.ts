import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SettingsHolder } from '../config/live-settings.ts';
import { parseRetention } from '../config/retention-policy.ts';
import { testSettings, testSource } from '../config/testing/settings.ts';
import { systemClock } from '../kernel/clock.ts';
import { silentLogger } from '../kernel/logger.ts';
import type { ManifestDatabase } from '../store/manifests/manifest.ts';
import { initRepository, openReader } from '../store/repository.ts';
import { manifestOf } from '../store/testing/manifests.ts';
import { activity, writerOf } from '../store/testing/scratch-repository.ts';
import { RetentionKeeper } from './retention-keeper.ts';

let directory: string;
let asked: { kind: string; sourceId: string | null; actor: string }[];
let complaints: unknown[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-retention-'));
  asked = [];
  complaints = [];
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const DATABASE: Omit<ManifestDatabase, 'check'> = {
  path: 'data/app.db',
  journalMode: 'wal',
  pageBytes: 4096,
  pageCount: 1,
  encoding: 'UTF-8',
  autoVacuum: false,
  userVersion: 0,
  applicationId: 0,
  schemaCookie: 1,
  changeCounter: 1,
  walBytes: 0,
  fingerprint: 'of it',
  method: 'pinned',
};

const repository = (): string => join(directory, 'repository');

async function take(count: number, isLastGood = true): Promise<void> {
  await initRepository(repository(), { clock: systemClock });
  const writer = await writerOf(repository());
  const tree = await writer.writeTree([]);
  for (let at = 0; at < count; at += 1) {
    const capturedAt = new Date(Date.UTC(2026, 0, 1, at)).toISOString();
    const ok = isLastGood || at < count - 1;
    const check = { level: 'quick', ok, messages: [], durationMs: 1, at: capturedAt } as const;
    const database = { ...DATABASE, check };
    await writer.commitSnapshot(
      (statistics) => manifestOf(tree, statistics, { capturedAt, databases: [database] }),
      activity,
    );
  }
  await writer.close();
}

async function start(policy: object | null): Promise<void> {
  const retention = parseRetention(policy);
  const settings = testSettings(directory, {
    repositoryDirectory: repository(),
    sources: [testSource({ id: 'source-1', retention })],
  });
  const keeper = new RetentionKeeper({
    live: new SettingsHolder(settings),
    clock: systemClock,
    logger: { ...silentLogger, warn: (fields) => void complaints.push(fields) },
    queue: { submit: (request) => asked.push(request as never) as never },
    openReader: () => openReader(repository()),
  });
  await keeper.atStart();
}

it('F-18, F-19: at the start, what the policy lets go is asked for', async () => {
  await take(4);
  await start({ keepLast: 2 });
  expect(asked).toMatchObject([{ kind: 'forget', sourceId: 'source-1', actor: 'boot' }]);
});

it('F-D10: nothing while the newest snapshot is bad, or no policy says so', async () => {
  await take(4, false);
  await start({ keepLast: 2 });
  expect(asked).toEqual([]);
  await rm(repository(), { recursive: true });
  await take(4);
  await start(null);
  await start({ keepLast: 4 });
  expect(asked).toEqual([]);
});

it('before there is a repository there is nothing to complain of', async () => {
  await start({ keepLast: 2 });
  expect([asked, complaints]).toEqual([[], []]);
});
