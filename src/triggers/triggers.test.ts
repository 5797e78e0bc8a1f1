import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sourceFingerprint } from '../capture/source-fingerprint.ts';
import type { Settings, SourceSettings } from '../config/settings.ts';
import { testSettings } from '../config/testing/settings.ts';
import { systemClock } from '../kernel/clock.ts';
import { silentLogger } from '../kernel/logger.ts';
import { DatabaseWriter } from './testing/database-writer.ts';
import { sourceSettings } from './testing/source-settings.ts';
import type { TriggerRequest } from './trigger-request.ts';
import { Triggers, type TriggersOptions } from './triggers.ts';

let directory: string;
let root: string;
let asked: { request: TriggerRequest; atMs: number }[];
let looks: number;
const toClose: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-triggers-')));
  root = join(directory, 'data');
  await mkdir(root);
  asked = [];
  looks = 0;
});

afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close();
  await rm(directory, { recursive: true, force: true });
});

const fingerprint = () => sourceFingerprint(sourceSettings(root), [join(root, 'repository')]);

function settings(source: SourceSettings): Settings {
  return testSettings(directory, {
    repositoryDirectory: join(root, 'repository'),
    sources: [source],
  });
}

async function started(
  source: SourceSettings,
  baseline: string | null,
  more: Partial<TriggersOptions> = {},
): Promise<Triggers> {
  const triggers = new Triggers({
    settings: settings(source),
    clock: systemClock,
    logger: silentLogger,
    enqueue: (request) => {
      asked.push({ request, atMs: systemClock.monotonicMs() });
      return { id: `job-${asked.length}` };
    },
    baselines: { get: () => (baseline === null ? null : { sourceFingerprint: baseline }) },
    forbiddenPaths: [join(root, 'repository')],
    fingerprint: async () => {
      looks += 1;
      return fingerprint();
    },
    ...more,
  });
  toClose.push(() => triggers.stop(1_000));
  await triggers.start();
  return triggers;
}

async function writer(journalMode: 'wal' | 'delete' = 'wal'): Promise<DatabaseWriter> {
  const opened = await DatabaseWriter.open(join(root, 'app.db'), journalMode);
  toClose.push(() => opened.close());
  return opened;
}

const askedCount = (count: number, timeout = 10_000) =>
  expect.poll(() => asked.length, { timeout, interval: 10 }).toBe(count);

/** Until the source was looked at, for the first time since the start. */
const lookedAtAll = () => expect.poll(() => looks, { interval: 10 }).toBeGreaterThan(0);

/** Until the source was looked at `more` times, so that something would have been asked for. */
async function looked(more: number): Promise<void> {
  const until = looks + more;
  await expect.poll(() => looks, { timeout: 10_000, interval: 10 }).toBeGreaterThanOrEqual(until);
}

describe('Triggers', () => {
  it.each(['wal', 'delete'] as const)(
    'a burst of commits becomes one request, within the quiet time and two seconds (%s)',
    async (journalMode) => {
      const application = await writer(journalMode);
      const triggers = await started(
        sourceSettings(root, { quietMs: 400, pollMs: 300 }),
        await fingerprint(),
      );
      await lookedAtAll();
      await application.tell({ write: 50 });
      const writtenAtMs = systemClock.monotonicMs();
      await askedCount(1);
      expect(asked[0]!.atMs - writtenAtMs).toBeLessThan(2_400);
      expect(asked[0]!.request).toEqual({
        kind: 'backup',
        sourceId: 'app',
        params: { sourceId: 'app', type: 'full', origin: 'change', reason: 'files changed' },
        actor: 'change',
        idempotencyKey: null,
      });
      triggers.noteSnapshot('app', await fingerprint(), systemClock.nowMs());
      await looked(4);
      expect(asked).toHaveLength(1);
      expect(triggers.status()[0]).toMatchObject({
        mode: 'events',
        reason: null,
        pendingSince: null,
        dueAt: null,
        lastError: null,
      });
    },
  );

  it('Z-01, F07, F59: a source that is turned on is watched from then on, and turned off no more', async () => {
    const on = sourceSettings(root, { quietMs: 50, pollMs: 100 });
    const triggers = await started({ ...on, enabled: false }, await fingerprint());
    expect(triggers.changeStatus('app').mode).toBe('off');
    await writeFile(join(root, 'file'), 'x');
    await triggers.apply(settings(on));
    await askedCount(1);
    const before = looks;
    await triggers.apply(settings({ ...on, name: 'called something else' }));
    expect(triggers.changeStatus('app').mode).not.toBe('off');
    await expect.poll(() => looks, { interval: 10 }).toBeGreaterThan(before);
    await triggers.apply(settings({ ...on, enabled: false }));
    expect(triggers.changeStatus('app').mode).toBe('off');
    await triggers.apply({ ...settings(on), sources: [] });
    expect(triggers.status()).toEqual([]);
  });

  it('Z-63: a source where nothing happens makes none', async () => {
    const application = await writer();
    await application.tell({ write: 5 });
    await started(sourceSettings(root, { quietMs: 0, pollMs: 100 }), await fingerprint());
    await looked(6);
    expect(asked).toEqual([]);
  });

  it('neither does a touch that changes nothing, nor a change to what is ours', async () => {
    const file = join(root, 'file');
    await mkdir(join(root, 'repository'));
    await writeFile(file, 'x');
    const triggers = await started(sourceSettings(root, { quietMs: 0 }), 'same', {
      fingerprint: async () => {
        looks += 1;
        return 'same';
      },
    });
    await lookedAtAll();
    const before = looks;
    await writeFile(join(root, 'repository', 'pack'), 'ours');
    await writeFile(file, 'x');
    await expect.poll(() => looks, { interval: 10 }).toBeGreaterThan(before);
    await expect.poll(() => triggers.status()[0]!.pendingSince).toBeNull();
    expect(asked).toEqual([]);
  });

  it('writing that never ends is captured by the longest wait, and goes on to be', async () => {
    const application = await writer();
    const triggers = await started(
      sourceSettings(root, { quietMs: 60_000, maxWaitMs: 700 }),
      await fingerprint(),
    );
    await lookedAtAll();
    await application.tell({ writeEveryMs: 5 });
    const startedAtMs = systemClock.monotonicMs();
    await askedCount(1);
    expect(asked[0]!.atMs - startedAtMs).toBeLessThan(2_700);
    triggers.noteSnapshot('app', 'state in between', systemClock.nowMs());
    await askedCount(2);
    // Counted from the first change after the first was due, which may be before it was asked for.
    expect(asked[1]!.atMs - asked[0]!.atMs).toBeGreaterThan(350);
    await application.tell({ writeEveryMs: 0 });
  });

  it('a source that was never captured is asked for at once, however busy its application is', async () => {
    const application = await writer();
    await application.tell({ writeEveryMs: 5 });
    await started(sourceSettings(root, { quietMs: 60_000, maxWaitMs: 300_000 }), null);
    await askedCount(1);
    await application.tell({ writeEveryMs: 0 });
  });

  it('changes during a snapshot lead to exactly one more, after it', async () => {
    const application = await writer();
    const triggers = await started(sourceSettings(root, { quietMs: 50, pollMs: 100 }), null);
    await askedCount(1);
    const captured = await fingerprint();
    await application.tell({ write: 1 });
    await expect.poll(() => triggers.status()[0]!.pendingSince).not.toBeNull();
    await looked(5);
    expect(asked).toHaveLength(1);
    triggers.noteSnapshot('app', captured, systemClock.nowMs());
    await askedCount(2);
    triggers.noteSnapshot('app', await fingerprint(), systemClock.nowMs());
    await expect.poll(() => triggers.status()[0]!.dueAt).toBeNull();
    expect(asked).toHaveLength(2);
  });

  it('F41, Z-63: (59): what was written while nobody watched is noticed at the start, once', async () => {
    const application = await writer();
    const before = await fingerprint();
    await application.tell({ write: 3 });
    await started(sourceSettings(root, { quietMs: 100, pollMs: 100 }), before);
    await askedCount(1);
    await looked(4);
    expect(asked).toHaveLength(1);
  });

  it('a source without a snapshot gets one', async () => {
    await started(sourceSettings(root), null);
    await askedCount(1);
  });

  it('Z-09: without events changes are found by the poll', async () => {
    const application = await writer();
    const source = sourceSettings(root, { quietMs: 50, pollMs: 100, usePolling: true });
    const triggers = await started(source, await fingerprint());
    expect(triggers.status()[0]).toMatchObject({
      mode: 'polling',
      reason: 'watch.usePolling is set',
    });
    await looked(2);
    expect(asked).toEqual([]);
    await application.tell({ write: 1 });
    await askedCount(1);
  });

  it('F44, Z-65, Z-D29: a snapshot for a change that failed is asked for again later, not at once and not never', async () => {
    const triggers = await started(sourceSettings(root, { quietMs: 0, pollMs: 100 }), null);
    await askedCount(1);
    triggers.noteFailure('app');
    await looked(5);
    expect(asked).toHaveLength(1);
    const [status] = triggers.status();
    const waitMs = Date.parse(status!.dueAt!) - systemClock.nowMs();
    expect(waitMs).toBeGreaterThan(50_000);
    expect(waitMs).toBeLessThanOrEqual(60_000);
    expect(status!.pendingSince).not.toBeNull();
  });

  it('a source that cannot be looked at says why and recovers', async () => {
    let fails = true;
    const triggers = await started(sourceSettings(root, { quietMs: 0, pollMs: 100 }), null, {
      fingerprint: async () => {
        looks += 1;
        if (fails) throw new Error('the disk is gone');
        return fingerprint();
      },
    });
    await looked(2);
    expect(triggers.status()[0]!.lastError).toBe('the disk is gone');
    expect(asked).toEqual([]);
    fails = false;
    await askedCount(1);
    expect(triggers.status()[0]!.lastError).toBeNull();
  });

  it('never opens a file of the application: locks of this process on a database outlive watching it', async () => {
    const application = await writer('delete');
    const path = join(root, 'app.db');
    const own = new Database(path, { timeout: 0 });
    toClose.push(async () => own.close());
    const triggers = await started(sourceSettings(root, { quietMs: 50, pollMs: 100 }), null);
    own.exec('BEGIN IMMEDIATE');
    await askedCount(1);
    await writeFile(join(root, 'other'), 'makes events');
    await looked(5);
    await triggers.stop(1_000);
    expect(await application.tell({ tryWrite: true })).toEqual({ wrote: false });
    // What this test would see: closing any descriptor of the file drops the lock.
    closeSync(openSync(path, 'r'));
    expect(await application.tell({ tryWrite: true })).toEqual({ wrote: true });
  });

  it('an unwatched source says why, and reports of unknown sources are ignored', async () => {
    const source = sourceSettings(root, { enabled: false });
    const triggers = await started(source, null);
    expect(triggers.status()).toEqual([
      {
        sourceId: 'app',
        mode: 'off',
        reason: 'watch.enabled is false',
        pendingSince: null,
        lastEventAt: null,
        dueAt: null,
        lastError: null,
      },
    ]);
    triggers.noteSnapshot('gone', 'x', 0);
    triggers.noteFailure('app');
    expect(looks).toBe(0);
  });

  it('asks for nothing after it was stopped', async () => {
    const application = await writer();
    const triggers = await started(sourceSettings(root, { quietMs: 0, pollMs: 100 }), null);
    await triggers.stop(1_000);
    await triggers.stop(1_000);
    const before = asked.length;
    await application.tell({ write: 5 });
    // Another one notices these writes and asks; the stopped one, which would have too, does not.
    const other: TriggerRequest[] = [];
    await started(sourceSettings(root, { quietMs: 200, pollMs: 100 }), null, {
      enqueue: (request) => {
        other.push(request);
        return { id: 'other' };
      },
    });
    await expect.poll(() => other.length, { timeout: 10_000 }).toBe(1);
    expect(asked.length).toBe(before);
  });
});
