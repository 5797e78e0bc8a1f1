import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { link, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { initRepository } from '../store/repository.ts';
import { EXIT } from './exit-codes.ts';
import { runOfflineLine } from './testing/offline-line.ts';
import { type LineOptions, runLine } from './testing/run-line.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-offline-'));
  await mkdir(join(directory, 'app'));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

const offlineLine = (argv: string[], behaviour?: string, options?: LineOptions) =>
  runOfflineLine(directory, argv, behaviour, options);

describe('without a daemon', () => {
  it.each([
    [['backup', '--tag', 't'], { type: 'full', tags: ['t'], origin: 'manual' }],
    [['verify', '--all', '--deep'], { snapshots: 'all', deep: true }],
    [['check'], { readData: 'none' }],
    [['recover', '--force'], { mode: 'force' }],
    [
      ['recover', '--database', '/x/a.db', '--accept-loss', '--from', 'latest'],
      { database: '/x/a.db', acceptLoss: true, from: 'latest' },
    ],
    [['drill', 'app'], { sourceId: 'app' }],
    [
      ['restore', 'latest', '--to', '/x', '--path', 'data/a'],
      {
        snapshotId: 'latest',
        target: { type: 'directory', path: '/x' },
        paths: ['data/a'],
        checkpoint: true,
      },
    ],
    [['repository', 'rebuild'], {}],
  ])('%j runs the same operation in a worker, in place of the daemon', async (argv, params) => {
    const { exitCode, document, stderr } = await offlineLine([...argv, '--json']);
    expect(exitCode, stderr).toBe(0);
    expect(document).toMatchObject({
      status: 'succeeded',
      stats: { params, offline: true, stateDirectory: join(directory, 'state') },
    });
    expect(stderr).toContain('The daemon is not running');
  });

  it('recover --to needs neither lock nor state: its folder stands beside the file, and goes', async () => {
    const to = join(directory, 'out.db');
    const line = ['recover', '--database', '/x/a.db', '--to', to, '--json'];
    const { exitCode, document, stderr } = await offlineLine(line);
    expect(exitCode, stderr).toBe(0);
    const { params, offline, stateDirectory } = document['stats'] as Record<string, unknown>;
    expect(params).toMatchObject({ database: '/x/a.db', to });
    expect(offline).toBe(false);
    expect(dirname(String(stateDirectory))).toBe(directory);
    expect(readdirSync(directory)).toEqual(['app']);
    const nowhere = await offlineLine([...line.slice(0, 4), join(directory, 'no', 'out.db')]);
    expect(nowhere.exitCode).toBe(EXIT.notFound);
  });

  it('warnings of the worker are shown, without their control characters, and are exit code 3', async () => {
    const { exitCode, stderr } = await offlineLine(['backup'], 'warn');
    expect(exitCode).toBe(EXIT.warnings);
    expect(stderr).toContain('warning: a file was\\u001b[2J skipped');
  });

  it('Ctrl-C cancels the worker', async () => {
    const controller = new AbortController();
    const line = offlineLine(['backup', '--json'], 'hang', { signal: controller.signal });
    controller.abort(new Error('Ctrl-C'));
    const { exitCode, document } = await line;
    expect(exitCode).toBe(EXIT.cancelled);
    expect(document).toMatchObject({ status: 'cancelled' });
  });

  it('--no-wait is refused: there is nobody to leave the job to', async () => {
    expect((await offlineLine(['backup', '--no-wait'])).exitCode).toBe(EXIT.unreachable);
  });

  it('a broken configuration is a usage error that names the problem', async () => {
    writeFileSync(join(directory, 'bad.yaml'), 'sources: 5\n');
    const { exitCode, stderr } = await runLine(
      ['backup', '--config', join(directory, 'bad.yaml')],
      {
        environment: { HOME: directory },
      },
    );
    expect(exitCode).toBe(EXIT.usage);
    expect(stderr).toContain('sources');
  });
});

describe('is the daemon down?', () => {
  it('a socket that was left behind means yes', async () => {
    const path = join(directory, 'stale.sock');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    // A closed server unlinks its socket; a killed one leaves a link like this.
    await link(path, join(directory, 'left.sock'));
    await new Promise((resolve) => server.close(resolve));
    const left = join(directory, 'left.sock');
    expect(existsSync(left)).toBe(true);
    const { exitCode } = await offlineLine(['backup'], 'succeed', {
      environment: { HOLDFAST_SOCKET: left },
    });
    expect(exitCode).toBe(0);
  });

  it('an answer that is not of a daemon means no: nothing is done behind its back', async () => {
    const path = join(directory, 'other.sock');
    const server = createServer((socket) =>
      socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n'),
    );
    await new Promise<void>((resolve) => server.listen(path, resolve));
    try {
      const { exitCode, stdout } = await offlineLine(['backup', '--json'], 'succeed', {
        environment: { HOLDFAST_SOCKET: path },
      });
      expect(exitCode).not.toBe(0);
      expect(JSON.parse(stdout)).toHaveProperty('error');
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });
});

describe('listings without a daemon', () => {
  it('read the repository itself, in the shape the daemon answers with', async () => {
    expect((await offlineLine(['repository', 'stats'])).exitCode).toBe(EXIT.notFound);
    await initRepository(join(directory, 'state', 'repository'), { clock: systemClock });
    const listed = await offlineLine(['snapshots', '--json']);
    expect(listed.document).toEqual({ items: [], nextCursor: null });
    expect((await offlineLine(['show', 'latest'])).exitCode).toBe(EXIT.notFound);
    expect((await offlineLine(['ls', 'not-an-id'])).exitCode).toBe(EXIT.usage);
    const { document } = await offlineLine(['repository', 'stats', '--json']);
    expect(document).toMatchObject({ snapshots: 0, packs: 0 });
  });
});
