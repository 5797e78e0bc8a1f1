import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { runCommand } from './run-command.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'command-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const options = { clock: systemClock, timeoutMs: 20_000 };

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('runCommand', () => {
  it('runs text by the shell and a list as it is, and tells how it ended', async () => {
    const lines: string[] = [];
    const onLine = (stream: string, line: string) => lines.push(`${stream}: ${line}`);
    const text = await runCommand('echo one; echo two >&2; exit 3', { ...options, onLine });
    expect(text).toMatchObject({ exitCode: 3, signal: null, timedOut: false });
    expect(lines.sort()).toEqual(['stderr: two', 'stdout: one']);
    const list = await runCommand(['printf', '%s', '$HOME; *'], options);
    expect(list).toMatchObject({ exitCode: 0, tail: '$HOME; *' });
  });

  it('gives it next to no environment', async () => {
    process.env['A_SECRET'] = 'hush';
    try {
      const { tail } = await runCommand('env', { ...options, environment: { GIVEN: 'yes' } });
      expect(tail).toContain('GIVEN=yes');
      expect(tail).toContain('PATH=');
      expect(tail).not.toContain('hush');
    } finally {
      delete process.env['A_SECRET'];
    }
  });

  it('keeps the end of its output only', async () => {
    const { tail } = await runCommand('seq 1 100000', options);
    expect(Buffer.byteLength(tail)).toBe(4096);
    expect(tail.endsWith('100000\n')).toBe(true);
  });

  it('ends the whole group at the deadline, even what ignores the first signal’s cause', async () => {
    const pidFile = join(directory, 'pid');
    const script = `sleep 60 & echo $! > ${pidFile}; wait`;
    const result = await runCommand(script, { ...options, timeoutMs: 300 });
    expect(result.timedOut).toBe(true);
    expect(isAlive(Number(await readFile(pidFile, 'utf8')))).toBe(false);
  });

  it('ends when it is cancelled, and does not wait for what it left in the background', async () => {
    const controller = new AbortController();
    const running = runCommand('sleep 60', { ...options, signal: controller.signal });
    controller.abort();
    expect(await running).toMatchObject({ cancelled: true });
    const left = await runCommand('sleep 5 & exit 0', options);
    expect(left).toMatchObject({ exitCode: 0 });
    expect(left.durationMs).toBeLessThan(4500);
  });

  it('says what cannot be started', async () => {
    await expect(runCommand(['/nowhere/program'], options)).rejects.toMatchObject({
      code: 'IO_ERROR',
    });
  });
});
