import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Sandbox, stopChild } from './support/sandbox.ts';

/** Promise: what collects files by a command is set up, tried out and taken away while the daemon runs. */

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
});
afterEach(() => sandbox.dispose());

const named = async (): Promise<unknown> =>
  (await sandbox.json(['plugin', 'list', 'app']))['items'].map(
    ({ name, command }: { name: string; command: unknown }) => [name, command],
  );

describe('plugins', () => {
  it('T-36, T-37, T-52, T-D10: are added, replaced by name and removed, the last one as well, and stay so over a restart', async () => {
    const daemon = await sandbox.start();
    expect(await named()).toEqual([]);
    const { items: presets } = await sandbox.json(['plugin', 'presets']);
    expect(presets.map(({ name }: { name: string }) => name)).toEqual(['beads', 'beads-rust']);
    const outside = join(sandbox.root, 'outside');
    await mkdir(outside);
    const dump = ['plugin', 'add', 'app', 'dump', '--directory', outside, '--include', '*.txt'];
    await sandbox.json([...dump, '--command', 'echo 1 > 1.txt']);
    await sandbox.json(['plugin', 'add', 'app', '--preset', 'beads']);
    await sandbox.json([...dump, '--command', 'echo 2 > 2.txt']);
    expect(await named()).toEqual([
      ['beads', 'bd backup --force'],
      ['dump', 'echo 2 > 2.txt'],
    ]);
    expect((await sandbox.json(['plugin', 'run', 'app', 'dump']))['stats']).toMatchObject({
      files: 1,
    });
    await sandbox.json(['plugin', 'remove', 'app', 'beads']);
    const { snapshotId, stats } = await sandbox.json(['backup', '--wait']);
    expect(stats['plugins']).toMatchObject([{ name: 'dump', ok: true, files: 1 }]);
    const listed = await sandbox.json(['ls', snapshotId, 'extra/plugin-dump']);
    expect(listed['items'].map(({ name }: { name: string }) => name)).toEqual(['2.txt']);
    expect((await sandbox.run(['plugin', 'remove', 'app', 'beads'])).exitCode).toBe(10);
    await sandbox.json(['plugin', 'remove', 'app', 'dump']);
    await stopChild(daemon.process, 'SIGTERM');
    await sandbox.start();
    expect(await named()).toEqual([]);
  });

  it('T-D17: none whose name or patterns lead out of its directory', async () => {
    await sandbox.start();
    for (const [name, pattern] of [
      ['../up', '*'],
      ['a/b', '*'],
      ['fine', '../*'],
      ['fine', '/etc/*'],
    ] as const) {
      const line = ['plugin', 'add', 'app', name, '--include', pattern, '--command', 'true'];
      expect((await sandbox.run(line)).exitCode, `${name} ${pattern}`).toBe(2);
    }
    expect(await named()).toEqual([]);
  });
});
