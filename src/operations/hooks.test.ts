import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configurationSchema } from '../config/options.ts';
import { resolveSources } from '../config/resolve-sources.ts';
import type { Settings } from '../config/settings.ts';
import { testSettings } from '../config/testing/settings.ts';
import { ProblemList } from '../config/validate-configuration.ts';
import { isAlive } from '../jobs/testing/process-state.ts';
import { type Activity, quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { openReader } from '../store/repository.ts';
import { backup } from './backup.ts';
import { hook } from './hook.ts';
import { plugin } from './plugin.ts';
import { restore } from './restore/restore.ts';

let directory: string;
let data: string;
let logged: string[];
let warned: string[];

beforeEach(async () => {
  directory = realpathSync(await mkdtemp(join(tmpdir(), 'holdfast-hooks-')));
  data = join(directory, 'data');
  for (const name of ['data', 'scratch', 'state']) mkdirSync(join(directory, name));
  writeFileSync(join(data, 'file.txt'), 'content');
  logged = [];
  warned = [];
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A source as a configuration file would say it. */
async function settingsOf(source: object, top: object = {}): Promise<Settings> {
  const { sources, ...rest } = configurationSchema.parse({
    ...top,
    sources: [{ name: 'app', roots: [data], ...source }],
  });
  const own = { stateDirectory: '/nowhere/state', repositoryDirectory: '/nowhere/repository' };
  const list = new ProblemList(() => null, new Map());
  const resolved = await resolveSources({ sources, retention: null }, own, list);
  expect(list.problems).toEqual([]);
  const { hooks, hookShell } = rest;
  return testSettings(directory, { sources: resolved, hooks, hookShell });
}

function contextOf(settings: Settings, signal?: AbortSignal) {
  const activity: Activity = {
    ...quietActivity(),
    ...(signal === undefined ? {} : { signal }),
    log: (line: string) => logged.push(line),
    warn: (line: string) => warned.push(line),
  };
  const scratchDirectory = join(directory, 'scratch');
  return { activity, settings, clock: systemClock, jobId: 'job-1', scratchDirectory };
}

const run = async (settings: Settings, signal?: AbortSignal) =>
  backup.run(contextOf(settings, signal), { type: 'full', origin: 'manual', tags: [] });

const snapshotCount = async (): Promise<number> => {
  const repository = join(directory, 'repository');
  if (!existsSync(repository)) return 0;
  const reader = await openReader(repository);
  try {
    return reader.listSnapshots().length;
  } finally {
    reader.close();
  }
};

const out = (): string => join(directory, 'out');
const said = (): string[] => readFileSync(out(), 'utf8').trim().split('\n');

describe('hooks of a backup', () => {
  it('F45, T-43, M-47, T-08, T-44: run before and after it, in the first root, and are told what it is about', async () => {
    const settings = await settingsOf({
      hooks: {
        pre: `echo "$HOLDFAST_PHASE $PWD $HOLDFAST_SOURCE $HOLDFAST_KIND" >> ${out()}; echo hello`,
        post: `echo "$HOLDFAST_PHASE $HOLDFAST_JOB_STATUS $HOLDFAST_SNAPSHOT_ID" >> ${out()}`,
      },
    });
    const result = await run(settings);
    expect(said()).toEqual([`pre ${data} app backup`, `post succeeded ${result['snapshotId']}`]);
    expect(logged).toContain('hook(pre): hello');
    expect(result['hooks']).toMatchObject([
      { phase: 'hook(pre)', ok: true, exitCode: 0, tail: 'hello\n' },
      { phase: 'hook(post)', ok: true },
    ]);
  });

  it('M-47, T-53: a hook before it that fails aborts it, and the one after it still runs, told so', async () => {
    const settings = await settingsOf({
      hooks: {
        pre: 'echo no >&2; exit 3',
        post: `echo "$HOLDFAST_JOB_STATUS $HOLDFAST_ERROR" > ${out()}`,
      },
    });
    await expect(run(settings)).rejects.toMatchObject({
      code: 'HOOK_FAILED',
      details: { exitCode: 3, tail: 'no\n' },
    });
    expect(await snapshotCount()).toBe(0);
    expect(said()[0]).toMatch(/^failed Cannot run pre hook of "app": it ended with exit code 3/);
  });

  it('a hook before it may fail where the source says so', async () => {
    const pre = { command: ['/bin/sh', '-c', 'exit 3'], continueOnError: true };
    await run(await settingsOf({ hooks: { pre } }));
    expect(await snapshotCount()).toBe(1);
    expect(warned).toEqual(['The pre hook failed: it ended with exit code 3']);
  });

  it('M-47, T-14, T-44, T-53: a hook after it that fails leaves the snapshot good', async () => {
    const result = await run(await settingsOf({ hooks: { post: 'exit 1' } }));
    expect(result['good']).toBe(true);
    expect(warned).toEqual(['The post hook failed: it ended with exit code 1']);
    await expect(
      run(await settingsOf({ hooks: { post: ['/nowhere/to/be/found'] } })),
    ).resolves.toMatchObject({ good: true, hooks: [{ ok: false, exitCode: null }] });
  });

  it('M-14: the source decides over the top level, and may want none', async () => {
    const top = { hooks: { pre: `echo top >> ${out()}` } };
    await run(await settingsOf({}, top));
    await run(await settingsOf({ hooks: { pre: `echo own >> ${out()}` } }, top));
    await run(await settingsOf({ hooks: { pre: false } }, top));
    expect(said()).toEqual(['top', 'own']);
  });

  it('M-D15, T-43: the environment holds nothing of ours but what is meant for hooks', async () => {
    process.env['HOLDFAST_TEST_TOKEN'] = 'secret';
    try {
      await run(await settingsOf({ hooks: { pre: `env > ${out()}` } }));
      const names = said().map((line) => line.split('=')[0]!);
      const own = names.filter((name) => name.startsWith('HOLDFAST_'));
      expect(own.sort()).toEqual([
        'HOLDFAST_HOOK_OF_JOB',
        'HOLDFAST_JOB_ID',
        'HOLDFAST_KIND',
        'HOLDFAST_PHASE',
        'HOLDFAST_REPOSITORY_DIRECTORY',
        'HOLDFAST_SOURCE',
        'HOLDFAST_SOURCE_ID',
      ]);
      const others = ['PATH', 'HOME', 'LANG', 'TZ', 'PWD', 'OLDPWD', 'SHLVL', '_', ...own];
      expect(names.filter((name) => !others.includes(name))).toEqual([]);
      const legacy = { command: `env > ${out()}`, legacyNames: true };
      await run(await settingsOf({ hooks: { pre: legacy } }));
      expect(said()).toContain('THRUM_BACKUP_REPO=app');
    } finally {
      delete process.env['HOLDFAST_TEST_TOKEN'];
    }
  });

  it('T-D18, M-57: one that ignores SIGTERM and holds the pipe by a child ends with the job all the same', async () => {
    const abort = new AbortController();
    const pidFile = join(directory, 'pid');
    const settings = await settingsOf({
      hooks: {
        pre: `trap '' TERM; sleep 600 & echo $! > ${pidFile}; echo up; wait`,
        post: `echo $HOLDFAST_JOB_STATUS > ${out()}`,
      },
    });
    const running = run(settings, abort.signal);
    running.catch(() => {});
    await expect.poll(() => existsSync(pidFile) && logged.includes('hook(pre): up')).toBe(true);
    abort.abort(new Error('cancelled by a test'));
    await expect(running).rejects.toThrow('cancelled by a test');
    expect(said()).toEqual(['cancelled']);
    expect(await snapshotCount()).toBe(0);
    const pid = Number(readFileSync(pidFile, 'utf8'));
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  it('output is kept up to a bound, and what is beyond it counted', async () => {
    const line = 'x'.repeat(99);
    const pre = `i=0; while [ $i -lt 20000 ]; do echo ${line}; i=$((i+1)); done`;
    const result = (await run(await settingsOf({ hooks: { pre } }))) as {
      hooks: { tail: string }[];
    };
    expect(logged.length).toBeLessThan(10_500);
    expect(logged.at(-1)).toMatch(/^hook\(pre\): … and \d+ more lines of output$/);
    expect(result.hooks[0]!.tail.length).toBeLessThanOrEqual(4096);
  });

  it('hook.test runs one alone, and says how it failed', async () => {
    const settings = await settingsOf({
      hooks: { pre: 'exit 2', post: 'echo $HOLDFAST_JOB_STATUS' },
    });
    await hook.run(contextOf(settings), { phase: 'post' });
    expect(logged).toEqual(['hook(post): succeeded']);
    await expect(hook.run(contextOf(settings), { phase: 'pre' })).rejects.toMatchObject({
      code: 'HOOK_FAILED',
    });
    await expect(hook.run(contextOf(settings), { phase: 'preRestore' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(await snapshotCount()).toBe(0);
  });
});

describe('plugins', () => {
  const outside = (): string => join(directory, 'outside');
  const collector = () => ({
    name: 'dump',
    directory: outside(),
    command: 'mkdir -p sub && echo dumped > sub/a.txt && echo x > other',
    include: ['sub/*.txt'],
  });

  beforeEach(() => mkdirSync(outside()));

  async function manifestOf(id: unknown) {
    const reader = await openReader(join(directory, 'repository'));
    try {
      return await reader.readManifest(String(id));
    } finally {
      reader.close();
    }
  }

  it('F46, T-38, T-39, T-08, T-40: a command writes files, and those that match are in the snapshot', async () => {
    const result = await run(await settingsOf({ plugins: [collector()] }));
    expect(result['plugins']).toMatchObject([{ name: 'dump', ok: true, files: 1, bytes: 7 }]);
    const manifest = await manifestOf(result['snapshotId']);
    expect(manifest.plugins).toEqual([{ name: 'dump', ok: true, files: 1 }]);
    expect(manifest.roots.map(({ prefix, path }) => [prefix, path])).toEqual([
      ['data', data],
      ['extra/plugin-dump', outside()],
    ]);
    expect(manifest.statistics.files).toBe(2);
  });

  it('T-D3: what a plugin collected comes back to its place', async () => {
    const settings = await settingsOf({ plugins: [collector()] });
    const { snapshotId } = await run(settings);
    rmSync(join(outside(), 'sub'), { recursive: true });
    const params = restore.params.parse({
      snapshotId,
      target: { type: 'in-place' },
      replaceDatabases: true,
    });
    await restore.run(contextOf(settings), params);
    expect(readFileSync(join(outside(), 'sub', 'a.txt'), 'utf8')).toBe('dumped\n');
  });

  it('T-38, T-41, T-14, T-40: one that fails costs its own files alone, and no other plugin', async () => {
    writeFileSync(join(outside(), 'left.txt'), 'of before');
    const failing = { ...collector(), command: 'exit 9', include: ['*.txt'] };
    const second = join(directory, 'second');
    mkdirSync(second);
    const next = { name: 'next', directory: second, command: 'echo n > n', include: ['*'] };
    const result = await run(await settingsOf({ plugins: [failing, next] }));
    expect(result).toMatchObject({
      good: true,
      plugins: [
        { name: 'dump', ok: false, reason: 'it ended with exit code 9' },
        { name: 'next', ok: true, files: 1 },
      ],
    });
    const { roots } = await manifestOf(result['snapshotId']);
    expect(roots.map(({ prefix }) => prefix)).toEqual(['data', 'extra/plugin-next']);
    expect(warned[0]).toMatch(/^Plugin dump failed/);
  });

  it('T-39, T-D17: a pattern that matches nothing is a warning; one that leaves the directory is refused', async () => {
    const plugins = [{ ...collector(), include: ['sub/*.txt', 'no/*'] }];
    await run(await settingsOf({ plugins }));
    expect(warned).toContain('Plugin dump: nothing matches no/*');
    for (const pattern of ['../x', '/etc/*', 'a/../../b']) {
      const include = [pattern];
      const source = { name: 'app', roots: [data], plugins: [{ ...collector(), include }] };
      expect(configurationSchema.safeParse({ sources: [source] }).success).toBe(false);
    }
  });

  it('T-37: a preset needs no more than its name', async () => {
    const settings = await settingsOf({ plugins: [{ preset: 'beads' }, { preset: 'beads-rust' }] });
    expect(settings.sources[0]!.plugins).toMatchObject([
      {
        name: 'beads',
        command: 'bd backup --force',
        include: ['.beads/backup/*'],
        directory: data,
      },
      { name: 'beads-rust', command: 'beads backup --force' },
    ]);
    // Inside a root: no root of its own, or its neighbours would be lost.
    expect(settings.sources[0]!.roots).toHaveLength(1);
  });

  it('F46: plugin.run tries one out and stores nothing', async () => {
    const settings = await settingsOf({ plugins: [collector()] });
    expect(await plugin.run(contextOf(settings), { name: 'dump' })).toMatchObject({ files: 1 });
    await expect(plugin.run(contextOf(settings), { name: 'none' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(await snapshotCount()).toBe(0);
  });
});

describe('hooks of a restore in place', () => {
  const inPlace = (snapshotId: unknown) =>
    restore.params.parse({ snapshotId, target: { type: 'in-place' } });

  it('F45, M-46, T-35: its own hooks and the commands of plugins run, those of backups do not', async () => {
    const note = (word: string): string =>
      `echo "${word} $HOLDFAST_PHASE $HOLDFAST_JOB_STATUS" >> ${out()}`;
    const plugins = [
      { name: 'inside', include: ['file.txt'], restoreCommand: `${note('plugin')}; exit 1` },
      { name: 'elsewhere', directory: '/nowhere', include: ['*'], restoreCommand: note('never') },
    ];
    const hooks = { preRestore: note('before'), postRestore: note('after') };
    const { snapshotId } = await run(await settingsOf({ hooks, plugins }));
    expect(existsSync(out())).toBe(false);
    writeFileSync(join(data, 'file.txt'), 'spoilt');
    const backupHooks = { pre: 'exit 1', post: 'exit 1' };
    const later = await settingsOf({ hooks: { ...hooks, ...backupHooks }, plugins });
    warned = [];
    const result = await restore.run(contextOf(later), inPlace(snapshotId));
    expect(readFileSync(join(data, 'file.txt'), 'utf8')).toBe('content');
    expect(said()).toEqual([
      'before preRestore ',
      'plugin restore ',
      'after postRestore succeeded',
    ]);
    expect(warned).toContain('Plugin inside failed after the restore: it ended with exit code 1');
    expect(result['hooks']).toHaveLength(2);
  });

  it('one before it that fails keeps everything as it is', async () => {
    const { snapshotId } = await run(await settingsOf({}));
    writeFileSync(join(data, 'file.txt'), 'newer');
    const settings = await settingsOf({ hooks: { preRestore: 'exit 1' } });
    await expect(restore.run(contextOf(settings), inPlace(snapshotId))).rejects.toMatchObject({
      code: 'HOOK_FAILED',
    });
    expect(readFileSync(join(data, 'file.txt'), 'utf8')).toBe('newer');
  });
});
