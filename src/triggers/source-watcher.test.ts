import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { eventlessName, eventlessReason } from './file-system-events.ts';
import { SourceWatcher, type SourceWatcherOptions } from './source-watcher.ts';
import { FakeClock } from './testing/fake-clock.ts';
import { type WatchRequest, watchDirectories } from './watch-directories.ts';

let directory: string;
let root: string;
let changes: number;
const open = new Set<SourceWatcher>();

beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-watcher-')));
  root = join(directory, 'data');
  await mkdir(root);
  changes = 0;
});

afterEach(async () => {
  for (const watcher of open) await watcher.close();
  open.clear();
  await rm(directory, { recursive: true, force: true });
});

async function armed(more: Partial<SourceWatcherOptions> = {}): Promise<SourceWatcher> {
  const watcher = new SourceWatcher({
    roots: [root],
    usePolling: false,
    isIgnored: () => false,
    onChange: () => {
      changes += 1;
    },
    watchDirectories,
    clock: systemClock,
    ...more,
  });
  open.add(watcher);
  await watcher.arm();
  return watcher;
}

/** Runs `change` and waits for an event of it. */
async function noticed(change: () => Promise<unknown>): Promise<void> {
  const before = changes;
  await change();
  await expect.poll(() => changes, { timeout: 5_000, interval: 10 }).toBeGreaterThan(before);
}

/** Inotify watches of this process. */
async function watchCount(): Promise<number> {
  let count = 0;
  for (const descriptor of await readdir('/proc/self/fdinfo')) {
    const text = await readFile(`/proc/self/fdinfo/${descriptor}`, 'utf8').catch(() => '');
    count += text.split('\n').filter((line) => line.startsWith('inotify ')).length;
  }
  return count;
}

describe('SourceWatcher', () => {
  it.runIf(process.platform === 'linux')(
    'uses one watch for each directory and none for files',
    async () => {
      for (let branch = 0; branch < 10; branch += 1) {
        await mkdir(join(root, `${branch}`, 'deep', 'deeper'), { recursive: true });
        for (let file = 0; file < 20; file += 1) {
          await writeFile(join(root, `${branch}`, 'deep', `${file}.txt`), '');
        }
      }
      const before = await watchCount();
      const watcher = await armed();
      expect(watcher.state).toEqual({ mode: 'events', reason: null });
      expect((await watchCount()) - before).toBe(31);
      await noticed(() => writeFile(join(root, '7', 'deep', '3.txt'), 'changed'));
      await watcher.close();
      expect(await watchCount()).toBe(before);
    },
  );

  it.runIf(process.platform === 'linux')(
    'Z-64: roots that are the same, or inside one another, cost no second watch',
    async () => {
      await mkdir(join(root, 'inner', 'deep'), { recursive: true });
      const before = await watchCount();
      await armed({ roots: [root, join(root, 'inner'), root] });
      expect((await watchCount()) - before).toBe(3);
      await noticed(() => writeFile(join(root, 'inner', 'deep', 'file'), 'x'));
    },
  );

  it('notices content, names, and everything in directories made later', async () => {
    await writeFile(join(root, 'a'), 'one');
    await armed();
    await noticed(() => writeFile(join(root, 'a'), 'two'));
    await noticed(() => rename(join(root, 'a'), join(root, 'b')));
    await noticed(() => rm(join(root, 'b')));
    await noticed(() => mkdir(join(root, 'new', 'newer'), { recursive: true }));
    // The new directories are watched soon after; until then the slow poll stands in.
    await expect
      .poll(
        async () => {
          const before = changes;
          await writeFile(join(root, 'new', 'newer', 'c'), `${before}`);
          await expect.poll(() => changes, { timeout: 200, interval: 5 }).toBeGreaterThan(before);
          return true;
        },
        { timeout: 10_000 },
      )
      .toBe(true);
  });

  it('stays out of what is ignored, and does not follow symbolic links', async () => {
    const repository = join(root, 'repository');
    const elsewhere = join(directory, 'elsewhere');
    await mkdir(repository);
    await mkdir(elsewhere);
    await symlink(elsewhere, join(root, 'link'));
    await writeFile(join(root, 'socket'), '');
    const seen: string[] = [];
    const watch = watchDirectories({
      roots: [root],
      isIgnored: (path) => [repository, join(root, 'socket')].includes(path),
      onChange: (changed) => seen.push(changed),
      onError: (error) => seen.push(error.message),
    });
    try {
      await watch.ready;
      await writeFile(join(repository, 'pack'), 'ours');
      await writeFile(join(elsewhere, 'file'), 'not in the source');
      await writeFile(join(root, 'socket'), 'ours');
      expect(seen).toEqual([]);
      await writeFile(join(root, 'file'), '');
      // The kernel keeps the order: events of the writes before would have come first.
      await expect.poll(() => seen.length, { interval: 10 }).toBeGreaterThan(0);
      expect(seen[0]).toBe(root);
      expect(new Set(seen)).toEqual(new Set([root]));
      await writeFile(join(root, 'file'), 'x');
    } finally {
      await watch.close();
    }
  });

  it.each([
    ['ENOSPC', /fs\.inotify\.max_user_watches/],
    ['EMFILE', /fs\.inotify\.max_user_instances/],
    ['EIO', /watching failed: broken/],
  ])('falls back to polling on %s, says so, and tries again later', async (code, reason) => {
    const clock = new FakeClock(0);
    const failure = Object.assign(new Error('broken'), { code });
    const requests: WatchRequest[] = [];
    let closed = 0;
    const watcher = await armed({
      clock,
      watchDirectories: (request) => {
        requests.push(request);
        const close = async (): Promise<void> => {
          closed += 1;
        };
        return { ready: Promise.resolve(), close };
      },
    });
    requests[0]!.onError(failure);
    expect(watcher.state).toEqual({ mode: 'polling', reason: expect.stringMatching(reason) });
    expect(closed).toBe(1);
    expect(changes).toBe(1);
    // The old watch has nothing more to say.
    requests[0]!.onChange(root);
    requests[0]!.onError(failure);
    expect(changes).toBe(1);
    await watcher.verify();
    expect(requests).toHaveLength(1);
    await clock.advance(10 * 60_000);
    await watcher.verify();
    expect(requests).toHaveLength(2);
    expect(watcher.state).toEqual({ mode: 'events', reason: null });
  });

  it('falls back where watching fails at once', async () => {
    const watcher = await armed({
      watchDirectories: () => {
        throw Object.assign(new Error('no'), { code: 'EMFILE' });
      },
    });
    expect(watcher.state.mode).toBe('polling');
  });

  it('a root that is missing is watched once it is there, and again after it was replaced', async () => {
    await rm(root, { recursive: true });
    const watcher = await armed();
    expect(watcher.state).toEqual({ mode: 'polling', reason: `missing: "${root}"` });
    await mkdir(root);
    await watcher.verify();
    expect(watcher.state).toEqual({ mode: 'events', reason: null });
    await rename(root, join(directory, 'old'));
    await mkdir(root);
    await watcher.verify();
    await noticed(() => writeFile(join(root, 'file'), ''));
  });

  it('uses no events where it was told not to', async () => {
    const watcher = await armed({ usePolling: true });
    expect(watcher.state).toEqual({ mode: 'polling', reason: 'watch.usePolling is set' });
  });
});

describe('file systems without events', () => {
  it('are known by their magic numbers, signed or not', () => {
    expect(eventlessName(0x6969)).toBe('NFS');
    expect(eventlessName(0xfe534d42)).toBe('SMB');
    expect(eventlessName(0xfe534d42 | 0)).toBe('SMB');
    expect(eventlessName(0xef53)).toBeNull();
  });

  it('a local directory is none, and a missing path is an error', async () => {
    expect(await eventlessReason(directory)).toBeNull();
    await expect(eventlessReason(join(directory, 'none'))).rejects.toMatchObject(
      process.platform === 'linux' ? { code: 'ENOENT' } : {},
    );
  });
});
