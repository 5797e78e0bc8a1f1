import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SettingsHolder } from '../config/live-settings.ts';
import type { Settings, SourceSettings } from '../config/settings.ts';
import { testSettings, testSource } from '../config/testing/settings.ts';
import { ManualClock } from '../jobs/testing/manual-clock.ts';
import { systemClock } from '../kernel/clock.ts';
import type { ScheduleState, SourceFacts } from '../protocol/method-map.ts';
import { openState } from '../state/state-database.ts';
import { EventLoopMonitor } from './event-loop-monitor.ts';
import { HealthMonitor } from './health-monitor.ts';
import { HostFiguresReader } from './host-figures.ts';
import { type Probe, ProbeRunner, repositoryProbe, stateProbe } from './probes.ts';
import { sourceHealth } from './source-health.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'health-'));
});

afterEach(async () => {
  await chmod(directory, 0o700);
  await rm(directory, { recursive: true, force: true });
});

const DAY_MS = 24 * 3_600_000;
const nowMs = Date.UTC(2026, 5, 1);
const ago = (ms: number): string => new Date(nowMs - ms).toISOString();

const source: SourceSettings = testSource({
  name: 'App',
  watch: { ...testSource().watch, enabled: true },
});

const facts: SourceFacts = {
  databases: [],
  watch: { mode: 'events', reason: null },
  lastSnapshot: { id: 'a', at: ago(3 * DAY_MS), good: true },
  lastGoodSnapshotAt: ago(3 * DAY_MS),
  lastVerifiedAt: ago(DAY_MS),
  lastDrillAt: ago(2 * DAY_MS),
  lastDrillOk: true,
  lastKnownGood: { id: 'a', at: ago(3 * DAY_MS) },
  pendingChangeSince: null,
  needsOperator: false,
};

const schedule: ScheduleState = {
  id: 'nightly',
  sourceId: 'app',
  kind: 'backup',
  trigger: { type: 'interval', intervalMs: DAY_MS },
  enabled: true,
  catchUp: 'one',
  nextDueAt: ago(-1000),
  lastRunAt: null,
  jitterMs: 0,
  overlap: 'skip' as const,
  origin: 'configuration' as const,
  idleness: null,
  lastDueAt: null,
  lastStatus: null,
  lastJobId: null,
};

describe('EventLoopMonitor', () => {
  it('reports how late the loop is, forgets it after the window, and is dead only when stuck', () => {
    const clock = new ManualClock();
    let lateMs = 0;
    const late = {
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs() + lateMs,
      after: clock.after.bind(clock),
    };
    const monitor = new EventLoopMonitor(late);
    expect(monitor.read().live).toBe(true);
    void monitor.start();
    clock.advance(2000);
    expect(monitor.read()).toEqual({ live: true, eventLoopLagMs: 0, eventLoopLagMsMax: 0 });
    lateMs = 700;
    clock.advance(500);
    expect(monitor.read()).toEqual({ live: true, eventLoopLagMs: 700, eventLoopLagMsMax: 700 });
    clock.advance(60_000);
    expect(monitor.read()).toMatchObject({ eventLoopLagMs: 0, eventLoopLagMsMax: 700 });
    clock.advance(120_000);
    expect(monitor.read().eventLoopLagMsMax).toBe(0);
    lateMs = 30_000;
    expect(monitor.read().live).toBe(false);
    void monitor.stop();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('probes', () => {
  it('stateProbe() passes on a state that can be written and fails on one that cannot', async () => {
    const state = await openState(join(directory, 'state.db'), { clock: systemClock });
    const probe = stateProbe(state, systemClock);
    expect(await probe.look()).toBeNull();
    state.connection.pragma('query_only = ON');
    await expect(probe.look()).rejects.toThrow();
    state.close();
    await expect(probe.look()).rejects.toThrow();
  });

  it('repositoryProbe() tells a repository, none yet, and one that cannot be reached', async () => {
    const repository = join(directory, 'deep', 'repository');
    expect(await repositoryProbe(repository).look()).toBe('there is no repository yet');
    await mkdir(repository, { recursive: true });
    await writeFile(join(repository, 'holdfast.json'), '{}');
    expect(await repositoryProbe(repository).look()).toBeNull();
    await rm(repository, { recursive: true });
    await writeFile(repository, 'a file is in the way');
    await expect(repositoryProbe(repository).look()).rejects.toThrow();
  });

  it('a probe that hangs fails in time, and is not started a second time', async () => {
    const clock = new ManualClock();
    let started = 0;
    const hanging: Probe = {
      name: 'hanging',
      look: () => {
        started += 1;
        return new Promise(() => {});
      },
    };
    const runner = new ProbeRunner([hanging], clock);
    const first = runner.run();
    expect(runner.run()).toBe(first);
    clock.advance(10_000);
    expect(await first).toMatchObject([{ name: 'hanging', ok: false, durationMs: 10_000 }]);
    expect(await runner.run()).toMatchObject([{ ok: false }]);
    expect(started).toBe(1);
  });
});

describe('HostFiguresReader', () => {
  it('finds memory, load and the file systems of our directories, and keeps them', async () => {
    const reader = new HostFiguresReader(
      { state: directory, repository: join(directory, 'not-there-yet') },
      systemClock,
    );
    const figures = await reader.read();
    expect(figures?.memoryBytesTotal).toBeGreaterThan(1024 ** 2);
    expect(figures?.cpus).toBeGreaterThan(0);
    expect(figures?.fileSystems.flatMap(({ uses }) => uses).sort()).toEqual([
      'repository',
      'state',
    ]);
    expect(await reader.read()).toBe(figures);
  });

  it('answers null in time where they cannot be had', async () => {
    const reader = new HostFiguresReader(
      { state: join(directory, 'missing'), repository: directory },
      systemClock,
    );
    expect(await reader.read()).toBeNull();
  });
});

describe('sourceHealth()', () => {
  const codes = (
    changes: Partial<SourceFacts>,
    schedules: ScheduleState[] = [schedule],
  ): string[] =>
    sourceHealth(source, { ...facts, ...changes }, schedules, nowMs).warnings.map(
      ({ code }) => code,
    );

  it('an unchanged application with an old good snapshot is well', () => {
    expect(sourceHealth(source, facts, [schedule], nowMs)).toEqual({
      sourceId: 'app',
      status: 'ok',
      lastSnapshotAgeMs: 3 * DAY_MS,
      lastGoodSnapshotAgeMs: 3 * DAY_MS,
      lastVerifiedAgeMs: DAY_MS,
      lastDrillAgeMs: 2 * DAY_MS,
      lastDrillOk: true,
      needsOperator: false,
      warnings: [],
    });
  });

  it('each way to be less well has its own code', () => {
    expect(codes({ pendingChangeSince: ago(2 * 3_600_000) })).toEqual(['CHANGE_UNSAVED']);
    expect(codes({ pendingChangeSince: ago(60_000) })).toEqual([]);
    expect(codes({ watch: { mode: 'off', reason: 'no root' } })).toEqual(['WATCH_OFF']);
    expect(codes({ lastVerifiedAt: ago(40 * DAY_MS) })).toEqual(['VERIFICATION_OLD']);
    expect(codes({ lastVerifiedAt: null })).toEqual(['NEVER_VERIFIED']);
    expect(codes({ lastDrillOk: false })).toEqual(['DRILL_FAILED']);
    expect(codes({ lastDrillAt: null, lastDrillOk: null })).toEqual([]);
    expect(codes({ lastSnapshot: { id: 'b', at: ago(0), good: false } })).toEqual([
      'LAST_SNAPSHOT_BAD',
    ]);
    expect(codes({}, [{ ...schedule, nextDueAt: ago(2 * 3_600_000) }])).toEqual([
      'SCHEDULE_OVERDUE',
    ]);
    expect(codes({}, [{ ...schedule, enabled: false, nextDueAt: ago(DAY_MS) }])).toEqual([]);
  });

  it('a database that needs a person, or no good snapshot at all, is critical', () => {
    const database = { path: '/a.db', reason: null, checkedAt: null, reportId: null };
    const bad = sourceHealth(
      source,
      {
        ...facts,
        needsOperator: true,
        databases: [{ ...database, state: 'needs-operator' }],
      },
      [],
      nowMs,
    );
    expect(bad.status).toBe('critical');
    expect(bad.warnings[0]!.message).toContain('/a.db');
    const none = { ...facts, lastSnapshot: null, lastGoodSnapshotAt: null };
    expect(sourceHealth(source, none, [], nowMs).status).toBe('critical');
  });
});

describe('HealthMonitor', () => {
  const settings = (): Settings => testSettings(directory, { sources: [source] });
  const monitorOf = (own: {
    facts?: SourceFacts;
    ready?: boolean;
    probes?: Probe[];
  }): HealthMonitor =>
    new HealthMonitor({
      live: new SettingsHolder(settings()),
      clock: systemClock,
      startedMonotonicMs: systemClock.monotonicMs(),
      probes: own.probes ?? [],
      boot: () => ({
        ready: own.ready ?? true,
        phase: own.ready === false ? 'recovery' : 'ready',
      }),
      sourceFacts: () => own.facts ?? facts,
      schedules: () => [],
      warnings: () => [],
    });

  it('stale snapshots make a warning or worse, and never an unready or dead daemon', async () => {
    const none = { ...facts, lastSnapshot: null, lastGoodSnapshotAt: null };
    const report = await monitorOf({ facts: none }).report();
    expect(report).toMatchObject({
      status: 'critical',
      live: { live: true },
      ready: { ready: true },
    });
  });

  it('is ready only when boot is done and every probe passes', async () => {
    expect((await monitorOf({}).ready()).ready).toBe(true);
    expect(await monitorOf({ ready: false }).ready()).toMatchObject({
      ready: false,
      bootPhase: 'recovery',
      checks: [{ name: 'boot', ok: false }],
    });
    const failing: Probe = { name: 'state', look: () => Promise.reject(new Error('disk is full')) };
    const monitor = monitorOf({ probes: [failing] });
    expect(await monitor.ready()).toMatchObject({
      ready: false,
      checks: [{ ok: true }, { name: 'state', ok: false, message: 'disk is full' }],
    });
    expect(monitor.live().live).toBe(true);
    expect((await monitor.report()).status).toBe('critical');
  });
});
