import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chmod, lstat, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resolveGroupId } from './socket-group.ts';
import { RawClient } from './testing/raw-client.ts';
import { startTestServer } from './testing/test-server.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'socket-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o7777;

describe('the socket file', () => {
  it('is 0600 in a directory made 0700, whatever the umask, and gone after stop', async () => {
    const mask = process.umask(0);
    const path = join(directory, 'run', 'holdfast', 'holdfast.sock');
    const test = await startTestServer({ path });
    expect(process.umask(mask)).toBe(0);
    expect(await modeOf(path)).toBe(0o600);
    expect(await modeOf(dirname(path))).toBe(0o700);
    expect(await readdir(dirname(path))).toEqual(['holdfast.sock']);
    await test.stop();
    expect(await readdir(dirname(path))).toEqual([]);
  });

  it('is 0660 of the group, in a directory made 0750, where a group is configured', async () => {
    const path = join(directory, 'run', 'holdfast.sock');
    const group = String(process.getegid!());
    const test = await startTestServer({ path, group });
    expect(await modeOf(path)).toBe(0o660);
    expect(await modeOf(dirname(path))).toBe(0o750);
    expect((await stat(path)).gid).toBe(Number(group));
    await test.stop();
  });

  it('leaves the mode of a directory that was there', async () => {
    await chmod(directory, 0o755);
    const test = await startTestServer({ path: join(directory, 'a.sock') });
    expect(await modeOf(directory)).toBe(0o755);
    await test.stop();
  });

  it('is not put where everybody may replace it', async () => {
    await chmod(directory, 0o777);
    await expect(startTestServer({ path: join(directory, 'a.sock') })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });

  it('replaces the socket that a killed process left', async () => {
    const path = join(directory, 'a.sock');
    const fixture = new URL('testing/listen-and-wait.mjs', import.meta.url);
    for (const name of ['a.sock', '_.sock']) {
      const child = fork(fixture, [join(directory, name)]);
      await once(child, 'message');
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    expect((await lstat(path)).isSocket()).toBe(true);
    const test = await startTestServer({ path });
    const client = await RawClient.open(path);
    expect(await client.ask('echo')).toMatchObject({ result: {} });
    client.close();
    expect(await readdir(directory)).toEqual(['a.sock']);
    await test.stop();
  });

  it('is never taken from a process that answers, which goes on undisturbed', async () => {
    const path = join(directory, 'a.sock');
    const first = await startTestServer({ path });
    await expect(startTestServer({ path })).rejects.toMatchObject({ code: 'IN_USE' });
    const client = await RawClient.open(path);
    expect(await client.ask('echo')).toMatchObject({ result: {} });
    client.close();
    await first.stop();
  });

  it('never replaces what is no socket', async () => {
    const path = join(directory, 'a.sock');
    await writeFile(path, 'precious');
    await expect(startTestServer({ path })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await rm(path);
    await mkdir(join(directory, '_.sock'));
    await expect(startTestServer({ path })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    expect(await readdir(directory)).toEqual(['_.sock']);
  });

  it('of a successor survives the stop of its predecessor', async () => {
    const path = join(directory, 'a.sock');
    const first = await startTestServer({ path });
    await rm(path);
    const second = await startTestServer({ path });
    await first.stop();
    const client = await RawClient.open(path);
    expect(await client.ask('echo')).toMatchObject({ result: {} });
    client.close();
    await second.stop();
  });

  it('may have a path of 103 bytes, and is refused one of 104', async () => {
    const path = (bytes: number): string => {
      const parent = join(directory, 'd'.repeat(bytes - directory.length - 3));
      return join(parent, 's');
    };
    expect(path(103)).toHaveLength(103);
    const test = await startTestServer({ path: path(103) });
    expect((await lstat(path(103))).isSocket()).toBe(true);
    const client = await RawClient.open(path(103));
    expect(await client.ask('echo')).toMatchObject({ result: {} });
    client.close();
    await test.stop();
    await expect(startTestServer({ path: path(104) })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('104 bytes'),
    });
    await expect(startTestServer({ path: 'relative.sock' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });

  it('Z-25: stop() lets a request in flight answer, and cuts off what does not end', async () => {
    const path = join(directory, 'a.sock');
    const test = await startTestServer({
      path,
      handlers: { stubborn: () => new Promise(() => {}) },
    });
    const patient = await RawClient.open(path);
    patient.request('hold');
    const stubborn = await RawClient.open(path);
    stubborn.request('stubborn');
    const idle = await RawClient.open(path);
    await idle.ask('echo');
    while (test.running < 2) await new Promise((resolve) => setImmediate(resolve));
    await test.stop();
    expect(await patient.read()).toMatchObject({ id: 1, result: null });
    expect(await stubborn.read()).toBeNull();
    expect(await idle.read()).toBeNull();
  });
});

describe('resolveGroupId', () => {
  it('knows numbers and the names of the groups file, and refuses the rest', async () => {
    const file = join(directory, 'group');
    await writeFile(file, 'root:x:0:\nbackup:x:34:ann,bob\nodd\n');
    expect(await resolveGroupId('1234', file)).toBe(1234);
    expect(await resolveGroupId('backup', file)).toBe(34);
    for (const group of ['none', 'odd', '']) {
      await expect(resolveGroupId(group, file)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    }
  });
});
