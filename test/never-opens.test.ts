import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { snapshot } from './support/jobs.ts';
import { projectRoot, Sandbox, stopChild } from './support/sandbox.ts';

/**
 * Promise: the daemon's own process never opens an application's database. Closing any descriptor of one would
 * drop the locks that the process holds on it.
 */

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure({
    watch: { enabled: true, quietMs: '200ms', minGapMs: '1s', maxWaitMs: '5s', pollMs: '1s' },
  });
});
afterEach(() => sandbox.dispose());

/** Threads of one process, from strace's own record of clone calls: `-ff` writes one file a thread. */
function threadsOf(directory: string, mainThread: number): Set<number> {
  const threads = new Set([mainThread]);
  const files = readdirSync(directory).map((name) => ({
    thread: Number(name.split('.').at(-1)),
    text: readFileSync(join(directory, name), 'utf8'),
  }));
  for (let grew = true; grew; ) {
    grew = false;
    for (const { thread, text } of files) {
      if (!threads.has(thread)) continue;
      for (const match of text.matchAll(
        /clone3?\(.*CLONE_THREAD.*=> \{.*\}|CLONE_THREAD.*= (\d+)$/gm,
      )) {
        const child = Number(/= (\d+)\s*$/.exec(match[0])?.[1]);
        if (child > 0 && !threads.has(child)) {
          threads.add(child);
          grew = true;
        }
      }
      for (const line of text.split('\n')) {
        if (!line.includes('CLONE_THREAD')) continue;
        const child = Number(/= (\d+)$/.exec(line)?.[1]);
        if (child > 0 && !threads.has(child)) {
          threads.add(child);
          grew = true;
        }
      }
    }
  }
  return threads;
}

describe('the daemon process', () => {
  it('opens no application database through boot, watch, poll, snapshot, status and stop', async () => {
    const path = join(sandbox.data, 'app.db');
    const database = new Database(path);
    database.pragma('journal_mode = WAL');
    database.exec('CREATE TABLE notes (body)');
    const trace = join(sandbox.root, 'trace');
    const { mkdirSync } = await import('node:fs');
    mkdirSync(trace);
    const daemon = await sandbox.start({
      prefix: [
        'strace',
        '-ff',
        '-qq',
        '-e',
        'trace=open,openat,openat2,creat,clone,clone3',
        '-o',
        join(trace, 'calls'),
      ],
    });
    const client = await sandbox.client();
    const { pid } = await client.call('daemon.status', {});
    const changed = daemon.logged('snapshot taken');
    database.exec("INSERT INTO notes VALUES ('a change')");
    await changed;
    await snapshot(client);
    await client.call('daemon.status', {});
    await client.call('health.report', {});
    database.close();
    process.kill(pid, 'SIGTERM');
    await daemon.ended;

    const names = readdirSync(trace);
    const daemonThreads = threadsOf(trace, pid);
    const opensOf = (own: boolean): string[] =>
      names
        .filter((name) => daemonThreads.has(Number(name.split('.').at(-1))) === own)
        .flatMap((name) => readFileSync(join(trace, name), 'utf8').split('\n'))
        .filter((line) => line.includes(`"${path}`) && /open|creat/.test(line));
    // The trace sees such calls at all: the workers do open the database.
    expect(opensOf(false).length).toBeGreaterThan(0);
    expect(opensOf(true)).toEqual([]);
    await stopChild(daemon.process, 'SIGKILL');
  });

  it('is not even built from the code that does', () => {
    const { inputs } = JSON.parse(readFileSync(join(projectRoot, 'dist/daemon.meta.json'), 'utf8'));
    // Of restores the daemon reads its own records alone.
    const engines = Object.keys(inputs).filter((input) =>
      /^src\/(sqlite\/(pinned-read|database-check|database-use\.)|capture\/capture-|recovery\/(recover|assess|last-look\.)|restore\/(?!pending-restore|saved-plan))/.test(
        input,
      ),
    );
    expect(engines).toEqual([]);
  });
});
