import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HoldfastError } from '../kernel/errors.ts';
import { findSocket } from './find-socket.ts';
import { loadOfflineSettings, loadSettings, type SettingsFlags } from './load-settings.ts';
import { readRememberedSettings, rememberSettings } from './remembered-settings.ts';

let directory: string;
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  // A plain user, whoever runs the tests: so no file of the host's own is looked for.
  if (process.getuid !== undefined) vi.spyOn(process, 'getuid').mockReturnValue(1000);
  directory = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-config-')));
  const config = join(directory, 'holdfast.yaml');
  env = { HOME: directory, HOLDFAST_STATE: join(directory, 'state'), HOLDFAST_CONFIG: config };
  await mkdir(join(directory, 'state'));
  await writeFile(config, '');
});

afterEach(async () => {
  vi.restoreAllMocks();
  await rm(directory, { recursive: true, force: true });
});

async function loadText(text: string, flags: SettingsFlags = {}) {
  await writeFile(env['HOLDFAST_CONFIG']!, text);
  return loadSettings(flags, env);
}

async function refusal(text: string, flags: SettingsFlags = {}): Promise<HoldfastError> {
  const error = await loadText(text, flags).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(HoldfastError);
  return error as HoldfastError;
}

const source = (rest: string): string => `sources:\n  - name: app\n${rest.replace(/^/gm, '    ')}`;

describe('the key of the repository', () => {
  it('comes from the file, a variable or a flag, the later over the earlier, and is none by default', async () => {
    expect((await loadText('')).repositoryKey).toBeNull();
    const text = 'repositoryKey:\n  secret: repository\n';
    const none = { keyFile: null, passphraseFile: null, secret: null };
    expect((await loadText(text)).repositoryKey).toEqual({ ...none, secret: 'repository' });
    env['HOLDFAST_PASSPHRASE_FILE'] = '/run/phrase';
    expect((await loadText(text)).repositoryKey).toEqual({
      ...none,
      passphraseFile: '/run/phrase',
    });
    const flags = { keyFile: '/run/key' };
    expect((await loadText(text, flags)).repositoryKey).toEqual({ ...none, keyFile: '/run/key' });
  });

  it('is one of three, never two, and no relative path', async () => {
    for (const text of [
      'repositoryKey: {}\n',
      'repositoryKey:\n  secret: a\n  keyFile: /k\n',
      'repositoryKey:\n  keyFile: k\n',
      'repositoryKey:\n  passphrase: open sesame\n',
      'repositoryDirectory: /backup\nrepositoryKey:\n  keyFile: /backup/key\n',
    ]) {
      expect(await refusal(text), text).toMatchObject({ code: 'CONFIG_INVALID' });
    }
    const both = { keyFile: '/k', passphraseFile: '/p' };
    expect(await refusal('', both)).toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

describe('loadSettings()', () => {
  it('protects a directory with sensible defaults and no file at all', async () => {
    const data = join(directory, 'My App');
    const settings = await loadSettings(
      { data: [data] },
      { HOME: directory, XDG_CONFIG_HOME: directory, HOLDFAST_STATE: join(directory, 'state') },
    );
    expect(settings.repositoryDirectory).toBe(join(directory, 'state', 'repository'));
    expect(settings.sources).toMatchObject([
      {
        id: 'my-app',
        name: 'my-app',
        roots: [{ class: 'data', name: null, path: data, required: true }],
        watch: { enabled: true, quietMs: 5_000, maxWaitMs: 300_000, minGapMs: 60_000 },
        databases: { depth: 0, check: 'quick', fullScanEveryMs: 86_400_000 },
        recovery: {
          onBoot: 'recover',
          deadlineMsPerGigabyte: 30_000,
          allowPartial: true,
          maxLossRows: null,
          maxSnapshotAgeMs: null,
        },
        assertions: [],
        migrations: [],
      },
    ]);
    expect(settings.sources[0]!.schedules.map(({ id }) => id)).toEqual(['backup']);
    expect(settings.schedules.map(({ id }) => id)).toEqual(['check']);
    expect(settings.worker).toMatchObject({
      memoryBytesMax: 2 ** 30,
      niceness: 10,
      diskPriority: 'derived',
    });
    expect(settings.sources[0]!.databases.maxLogGrowthBytes).toBeNull();
  });

  it('is frozen all the way down', async () => {
    const settings = await loadText(source('roots: [/srv/app]'));
    const mutable = settings as unknown as { sources: { roots: { path: string }[] }[] };
    expect(() => {
      mutable.sources[0]!.roots[0]!.path = '/';
    }).toThrow(TypeError);
    expect(() => mutable.sources.push({ roots: [] })).toThrow(TypeError);
  });

  it('flags win over variables, variables over the file, the file over defaults', async () => {
    const text = 'stateDirectory: /in/file\nrepositoryDirectory: /repo/file\nlogLevel: warn\n';
    const settings = await loadText(text, { repository: '/repo/flag' });
    expect(settings.repositoryDirectory).toBe('/repo/flag');
    expect(settings.stateDirectory).toBe(join(directory, 'state'));
    expect(settings.logLevel).toBe('warn');
    expect((await loadText(text, { logLevel: 'debug' })).logLevel).toBe('debug');
    expect((await refusal(text, { logLevel: 'loud' })).message).toContain('from --log-level');
  });

  it('--data replaces the sources of the file and keeps the rest', async () => {
    const text = `codec: none\n${source('roots: [/srv/app]')}`;
    const settings = await loadText(text, { data: ['/srv/one/data', '/srv/two/data'] });
    expect(settings.codec).toBe('none');
    expect(settings.sources.map(({ id }) => id)).toEqual(['one-data', 'two-data']);
  });

  it('--no-watch turns every watcher off', async () => {
    const settings = await loadText(source('roots: [/srv/app]'), { watch: false });
    expect(settings.sources[0]!.watch.enabled).toBe(false);
  });

  it('names every problem at once, with lines, and changes nothing', async () => {
    const error = await refusal(
      [
        'logLevel: loud',
        'repositoryDirectry: /backup',
        'sources:',
        '  - name: app',
        '    roots: [relative/path]',
        '    watch:',
        '      quietMs: soon',
        '      quiet: 5s',
      ].join('\n'),
    );
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.details!['problems']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ path: 'logLevel', line: 1 }),
        expect.objectContaining({
          path: 'repositoryDirectry',
          line: 2,
          message: expect.stringContaining('did you mean "repositoryDirectory"?'),
        }),
        expect.objectContaining({ path: 'sources[0].roots[0].path', line: 5 }),
        expect.objectContaining({ path: 'sources[0].watch.quietMs', line: 7 }),
        expect.objectContaining({
          line: 8,
          message: expect.stringContaining('did you mean "quietMs"?'),
        }),
      ]),
    );
    expect(error.message).toContain('line 7, sources[0].watch.quietMs: expected milliseconds');
  });

  it('Z-106: takes durations and sizes as numbers of their unit or as text', async () => {
    const settings = await loadText(
      `worker: {memoryBytesMax: 512MiB, jobDeadlineMs: 90m}\n${source('roots: [/srv/app]\nwatch: {quietMs: 250, maxWaitMs: 1.5m}')}`,
    );
    expect(settings.worker).toMatchObject({
      memoryBytesMax: 536_870_912,
      jobDeadlineMs: 5_400_000,
    });
    expect(settings.sources[0]!.watch).toMatchObject({ quietMs: 250, maxWaitMs: 90_000 });
  });

  it('takes what may be lost, what must hold, and how long originals are kept', async () => {
    const settings = await loadText(
      [
        'quarantine: {maxCount: null, maxAgeMs: 30d, minFreeBytes: 2GB}',
        source(
          [
            'roots: [/srv/app]',
            'recovery: {allowPartial: false, maxLossRows: 10, maxSnapshotAgeMs: 2d}',
            'schedules: [{kind: drill, trigger: {type: interval, intervalMs: 1d}}]',
            'assertions: [{name: balanced, database: data/a.db, sql: SELECT sum(x) FROM t, expect: 0}, {name: not empty, database: data/a.db, sql: SELECT 1 FROM t, expect: rows}]',
          ].join('\n'),
        ),
      ].join('\n'),
    );
    const [app] = settings.sources;
    expect(settings.quarantine).toEqual({
      maxCount: null,
      maxAgeMs: 30 * 86_400_000,
      minFreeBytes: 2_000_000_000,
    });
    expect(app!.recovery).toMatchObject({
      allowPartial: false,
      maxLossRows: 10,
      maxSnapshotAgeMs: 2 * 86_400_000,
    });
    expect(app!.schedules[0]).toMatchObject({ id: 'drill', kind: 'drill' });
    expect(app!.assertions.map(({ expect: expected }) => expected)).toEqual([0, 'rows']);
  });

  it('refuses assertions that could be confused or say nothing', async () => {
    const one = 'name: a, database: data/a.db, sql: SELECT 1';
    const twice = `assertions: [{${one}, expect: rows}, {${one}, expect: 1}]`;
    const error = await refusal(source(`roots: [/srv/app]\n${twice}`));
    expect(error.message).toContain('a second assertion "a"');
    expect((await refusal(source(`roots: [/srv/app]\nassertions: [{${one}}]`))).message).toContain(
      'assertions[0].expect',
    );
  });

  it('a cron expression that does not parse is INVALID_CRON', async () => {
    const cron = (expression: string) =>
      source(
        `roots: [/srv/app]\nschedules: [{trigger: {type: cron, expression: "${expression}"}}]`,
      );
    const error = await refusal(cron('99 * * * *'));
    expect(error.code).toBe('INVALID_CRON');
    expect(error.message).toContain('minute');
    expect((await refusal(`${cron('nonsense')}\ncodec: lzma`)).code).toBe('CONFIG_INVALID');
    const [schedule] = (await loadText(cron('*/5 * * * *'))).sources[0]!.schedules;
    expect(schedule).toMatchObject({ id: 'backup', enabled: true, catchUp: 'one' });
    expect(schedule!.trigger).toMatchObject({
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    });
  });

  it.each([
    [
      'an unknown time zone',
      'schedules: [{trigger: {type: cron, expression: "0 3 * * *", timeZone: Mars/Base}}]',
      /time zone/,
    ],
    ['an unknown trigger', 'schedules: [{trigger: {type: moon}}]', /"cron" or "interval"/],
    [
      'two schedules of one id',
      'schedules: [{trigger: {type: interval, intervalMs: 1h}}, {trigger: {type: interval, intervalMs: 2h}}]',
      /second schedule/,
    ],
    [
      'an interval out of bounds',
      'schedules: [{trigger: {type: interval, intervalMs: 1ms}}]',
      /between 1s and 366d/,
    ],
    ['a negative duration', 'watch: {quietMs: -1}', /between 0ms and 1d/],
    ['an empty group', 'watch:', /expected object/],
    ['a bad id', 'id: Not An Id', /expected 1 to 64 of a-z/],
  ])('refuses %s', async (_name, rest, message) => {
    expect((await refusal(source(`roots: [/srv/app]\n${rest}`))).message).toMatch(message);
  });

  it.each([
    ['no roots', 'roots: []', /at least one root/],
    ['two data roots', 'roots: [/srv/a, /srv/b]', /second root "data"/],
    ['an extra root without a name', 'roots: [{class: extra, path: /srv/a}]', /needs a "name"/],
    ['a named data root', 'roots: [{name: x, path: /srv/a}]', /only an extra root/],
    ['the whole file system', 'roots: [/]', /whole file system/],
    ['a kernel file system', 'roots: [/proc/self]', /no files of an application/],
    ['a path with NUL', 'roots: ["/srv/\\0"]', /NUL/],
  ])('refuses %s', async (_name, rest, message) => {
    expect((await refusal(source(rest))).message).toMatch(message);
  });

  it('a root inside the repository or the state directory is refused, also through a symlink', async () => {
    const state = join(directory, 'state');
    await mkdir(join(state, 'repository', 'packs'), { recursive: true });
    await symlink(join(state, 'repository', 'packs'), join(directory, 'link'));
    expect((await refusal(source(`roots: [${join(directory, 'link')}]`))).message).toContain(
      'inside the repository',
    );
    expect((await refusal(source(`roots: [${join(state, 'new')}]`))).message).toContain(
      'inside the state directory',
    );
  });

  it('the repository may be inside a root, and roots may overlap', async () => {
    const text = `repositoryDirectory: ${directory}/app/backup\n${source(`roots: [${directory}/app, {class: config, path: ${directory}/app/etc}]`)}`;
    expect((await loadText(text)).sources[0]!.roots).toHaveLength(2);
  });

  it('a repository that holds the state directory is refused', async () => {
    const error = await refusal(`repositoryDirectory: ${directory}`);
    expect(error.message).toContain('holds the state directory');
  });

  it('Z-64: one place spelled in two ways is one place', async () => {
    await mkdir(join(directory, 'real'));
    await symlink(join(directory, 'real'), join(directory, 'link'));
    const settings = await loadText(source(`roots: [${join(directory, 'link')}/not/yet]`));
    expect(settings.sources[0]!.roots[0]!.path).toBe(join(directory, 'real', 'not', 'yet'));
  });

  it('no id or name means two sources', async () => {
    const error = await refusal(
      'sources: [{name: a, roots: [/srv/a]}, {name: b, id: a, roots: [/srv/b]}]',
    );
    expect(error.message).toContain('also means sources[0]');
    const renamed = await loadText('sources: [{name: New Name, id: old, roots: [/srv/a]}]');
    expect(renamed.sources[0]).toMatchObject({ id: 'old', name: 'New Name' });
  });

  it('a socket path that no socket can have is refused', async () => {
    expect((await refusal(`socketPath: /${'x'.repeat(120)}`)).message).toContain('103 bytes');
  });

  it('a named file that is missing is NOT_FOUND', async () => {
    await expect(loadSettings({ config: join(directory, 'none.yaml') }, env)).rejects.toMatchObject(
      { code: 'NOT_FOUND' },
    );
  });
});

describe('rememberSettings()', () => {
  it('a command without flags uses what the daemon started with', async () => {
    const flags = { data: [join(directory, 'data')], repository: join(directory, 'elsewhere') };
    const bare = {
      HOME: directory,
      XDG_CONFIG_HOME: directory,
      HOLDFAST_STATE: join(directory, 'state'),
    };
    const started = await loadSettings({ ...flags, socket: join(directory, 's') }, bare);
    expect((await loadOfflineSettings({}, bare)).sources).toEqual([]);
    await rememberSettings(started, (path, content) => writeFile(path, content));
    expect(await loadOfflineSettings({}, bare)).toEqual(started);
    expect(await readRememberedSettings(started.stateDirectory)).toEqual(started);
    const moved = await loadOfflineSettings({ repository: join(directory, 'moved') }, bare);
    expect(moved).toEqual({ ...started, repositoryDirectory: join(directory, 'moved') });
    expect(findSocket({}, bare)).toBe(join(directory, 's'));
    expect(findSocket({ socket: '/x' }, bare)).toBe('/x');
  });

  it('a configuration that was broken since does not stop an offline command', async () => {
    const state = join(directory, 'state');
    const bare = { HOME: directory, STATE_DIRECTORY: state, XDG_CONFIG_HOME: directory };
    const started = await loadSettings({ data: [join(directory, 'data')] }, bare);
    await rememberSettings(started, (path, content) => writeFile(path, content));
    await mkdir(join(directory, 'holdfast'));
    const file = join(directory, 'holdfast', 'holdfast.yaml');
    await writeFile(file, 'sources: [');
    expect(await loadOfflineSettings({}, bare)).toEqual(started);
    await expect(loadSettings({ config: file }, bare)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });

  it('damaged ones are refused, never taken for none', async () => {
    await writeFile(join(directory, 'state', 'settings.json'), '{"format":1,"settings":');
    const bare = {
      HOME: directory,
      XDG_CONFIG_HOME: directory,
      HOLDFAST_STATE: join(directory, 'state'),
    };
    await expect(loadOfflineSettings({}, bare)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(loadOfflineSettings({ data: ['/srv/a'] }, bare)).resolves.toBeDefined();
  });
});
