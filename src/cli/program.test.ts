import { describe, expect, it } from 'vitest';
import { EXIT } from './exit-codes.ts';
import { ALONE, buildProgram } from './program.ts';
import { runLine } from './testing/run-line.ts';
import { scriptedJob } from './testing/scripted-daemon.ts';
import { scriptedLines } from './testing/scripted-lines.ts';

const withScript = scriptedLines();

describe('usage errors', () => {
  it.each([
    [['nonsense']],
    [['backup', '--type', 'half']],
    [['backup', 'a', 'b']],
    [['snapshots', '--limit', '0']],
    [['check', '--read-data-subset', '5']],
    [['quarantine', 'purge', '--older-than', 'long']],
    [['quarantine', 'restore', 'x']],
    [['restore']],
    [['restore', 'latest']],
    [['restore', 'latest', '--to', 'x', '--in-place']],
    [['verify', 'abcd', '--all']],
    [['recover', '--force', '--check-only']],
    [['quarantine', 'purge']],
    [['quarantine', 'purge', 'q1', '--policy']],
    [['recover', '--to', '/tmp/never']],
    [['recover', '--database', '/tmp/a', '--to', '/tmp/never', '--if-needed']],
    [['recover', '--database', '/tmp/a', '--to', '/tmp/never', '--no-wait']],
    [['service', 'print', 'upstart']],
    [['show']],
    [['--unknown', 'status']],
  ])('F58: %j is refused with exit code 2 and says why on stderr', async (argv) => {
    const result = await runLine(argv, { environment: { HOLDFAST_SOCKET: '/nonexistent' } });
    expect(result.exitCode).toBe(EXIT.usage);
    expect(result.stderr).not.toBe('');
    expect(result.stdout).toBe('');
  });

  it('help and version are no errors', async () => {
    const help = await runLine(['--help']);
    expect(help).toMatchObject({ exitCode: 0, stderr: '' });
    for (const command of ['daemon', 'backup', 'restore', 'recover', 'doctor', 'quarantine']) {
      expect(help.stdout).toContain(`\n  ${command}`);
    }
    expect(help.stdout).not.toContain('doctor-probe');
    expect(await runLine(['--version'])).toMatchObject({ exitCode: 0, stdout: '1.2.3\n' });
    const version = await runLine(['version', '--json']);
    expect(version.document).toMatchObject({ version: '1.2.3', protocol: 1 });
  });

  it('F58: under --json an error is a document', async () => {
    const result = await runLine(['status', '--json', '--socket', '/nonexistent/s']);
    expect(result.exitCode).toBe(EXIT.unreachable);
    expect(result.document).toMatchObject({ error: { code: 'DAEMON_UNREACHABLE' } });
  });
});

it('a command that is made alone is the same as among all others', () => {
  const texts = { version: '1', out: () => {}, note: () => {} };
  const whole = buildProgram(texts, () => async () => {});
  for (const [name, only] of Object.entries(ALONE)) {
    const alone = buildProgram(texts, () => async () => {}, only);
    const help = (program: typeof whole) =>
      program.commands.find((command) => command.name() === name)?.helpInformation();
    expect(help(alone)).toBeDefined();
    expect(help(alone)).toBe(help(whole));
  }
});

describe('lists', () => {
  it('are {items, nextCursor} under --json and say how to go on otherwise', async () => {
    const { calls, line } = await withScript({
      'job.list': () => ({ items: [scriptedJob({})], nextCursor: 'c2' }),
    });
    const { document } = await line(['jobs', '--json', '--limit', '1', '--status', 'running']);
    expect(document).toMatchObject({ items: [{ id: 'job-1' }], nextCursor: 'c2' });
    expect(calls[0]!.params).toEqual({ limit: 1, status: ['running'] });
    const { stdout, stderr } = await line(['jobs']);
    expect(stdout).toContain('job-1');
    expect(stderr).toContain('--cursor c2');
  });

  it('M-42: job logs are read to the end, page by page, and are NDJSON under --json', async () => {
    const lineOf = (seq: number) => ({
      seq,
      at: '2026-01-01T00:00:00.000Z',
      stream: 'event',
      message: `m${seq}`,
    });
    const { line } = await withScript({
      'job.logs': ({ fromSeq }) =>
        fromSeq === 1
          ? { items: [lineOf(1)], nextSeq: 2, nextCursor: '2', finished: true }
          : { items: [lineOf(2)], nextSeq: 3, nextCursor: null, finished: true },
    });
    const { stdout } = await line(['job', 'logs', 'job-1', '--json', '--follow']);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((text) => JSON.parse(text).message),
    ).toEqual(['m1', 'm2']);
    const text = await line(['job', 'logs', 'job-1', '--format', 'txt', '--json']);
    expect(text.stdout).toMatch(/^.+ event m1\n.+ event m2\n$/);
    const documents = await line(['job', 'logs', 'job-1', '--format', 'ndjson']);
    expect(documents.stdout).toBe(`${JSON.stringify(lineOf(1))}\n${JSON.stringify(lineOf(2))}\n`);
    expect((await line(['job', 'logs', 'job-1', '--format', 'xml'])).exitCode).toBe(EXIT.usage);
  });
});

describe('probes', () => {
  it.each([
    [
      'live',
      'health.live',
      { live: true, eventLoopLagMs: 0, eventLoopLagMsMax: 0, uptimeMs: 1 },
      0,
    ],
    [
      'live',
      'health.live',
      { live: false, eventLoopLagMs: 0, eventLoopLagMsMax: 0, uptimeMs: 1 },
      1,
    ],
    ['ready', 'health.ready', { ready: true, bootPhase: 'ready', checks: [] }, 0],
    ['ready', 'health.ready', { ready: false, bootPhase: 'recovery', checks: [] }, 1],
  ] as const)('health %s tells by its exit code', async (probe, method, answer, exitCode) => {
    const { line } = await withScript({ [method]: () => answer });
    expect((await line(['health', probe])).exitCode).toBe(exitCode);
  });
});

describe('holdfast service print', () => {
  it('prints one unit for this installation, its paths and users as asked for', async () => {
    const argv = ['service', 'print', 'systemd', '--unit', 'holdfast.service'];
    const result = await runLine([
      ...argv,
      '--data',
      '/srv/a',
      '--data',
      '/srv/b',
      '--user',
      'web',
    ]);
    expect(result.exitCode).toBe(0);
    expect(result.stdout).toContain(`ExecStart=${process.execPath} `);
    expect(result.stdout).toContain('--data /srv/a --data /srv/b');
    expect(result.stdout).toContain('User=web\nGroup=web');
    expect((await runLine(['service', 'print', '--unit', 'x'])).exitCode).toBe(EXIT.notFound);
  });
});
