import type { BigIntStats } from 'node:fs';
import { chmod, chown, lstat, mkdir, rename, stat, unlink } from 'node:fs/promises';
import { createConnection, type Server } from 'node:net';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import { cannot, systemCode } from '../kernel/errors.ts';
import { resolveGroupId } from './socket-group.ts';
import { assertSocketPath } from './socket-path.ts';

/** The socket as a file: its directory, modes, what stands at its place before, and what to remove after. */

const PROBE_TIMEOUT_MS = 2_000;
const OTHERS_WRITE = 0o002;
const STICKY = 0o1000;
const ROOT_UID = 0;

export interface SocketFile {
  readonly path: string;
  /** Removes the file if it is still the one that was bound here. */
  remove(): Promise<void>;
}

/**
 * Binds `server` to `path`. The caller holds the instance lock, so that no second daemon does the same at once.
 * The socket is bound under a neighbouring name, given its mode, then renamed: it is never seen with a wider mode,
 * a stale one is replaced in one step, and closing the server, which unlinks the name it was bound to, cannot
 * remove a successor's socket.
 * @throws CONFIG_INVALID, IN_USE, IO_ERROR
 */
export async function bindSocket(
  server: Server,
  path: string,
  group: string | null,
  clock: Clock,
): Promise<SocketFile> {
  assertSocketPath(path);
  const groupId = group === null ? null : await resolveGroupId(group);
  await prepareDirectory(dirname(path), groupId);
  const temporary = neighbour(path);
  await assertReplaceable(path, clock);
  await assertReplaceable(temporary, clock);
  await unlink(temporary).catch(ignoreMissing);
  await listen(server, temporary);
  try {
    if (groupId !== null) await chown(temporary, process.geteuid?.() ?? -1, groupId);
    await chmod(temporary, groupId === null ? 0o600 : 0o660);
    const bound = await lstat(temporary, { bigint: true });
    await rename(temporary, path);
    return { path, remove: () => removeOwn(path, bound) };
  } catch (error) {
    server.close();
    throw error;
  }
}

/** A name beside `path` that is no longer than it, so that it has room wherever `path` has. */
function neighbour(path: string): string {
  const [first = '', ...rest] = basename(path);
  return join(dirname(path), [first === '_' ? '-' : '_', ...rest].join(''));
}

async function prepareDirectory(directory: string, groupId: number | null): Promise<void> {
  const made = await mkdir(directory, { recursive: true, mode: 0o700 });
  if (made !== undefined && groupId !== null) {
    await chown(directory, process.geteuid?.() ?? -1, groupId);
    await chmod(directory, 0o750);
  }
  const { mode, uid } = await stat(directory);
  if (uid !== ROOT_UID && uid !== process.geteuid?.()) {
    throw cannot('CONFIG_INVALID', 'listen in', directory, `it belongs to user ${uid}`, {
      hint: 'They could put a socket of their own in its place; use a directory of the daemon itself.',
    });
  }
  if ((mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0) {
    throw cannot('CONFIG_INVALID', 'listen in', directory, 'everybody may write there', {
      hint: 'Anybody could put a socket of their own in its place; use a directory with mode 0700.',
    });
  }
}

/** @throws IN_USE when somebody answers there, CONFIG_INVALID when it is no socket */
async function assertReplaceable(path: string, clock: Clock): Promise<void> {
  const found = await lstat(path).catch(ignoreMissing);
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw cannot('CONFIG_INVALID', 'listen on', path, 'something else than a socket is there', {
      hint: 'It was left as it is: move it away, or choose another path with --socket.',
    });
  }
  if (await isAnswered(path, clock)) {
    throw cannot('IN_USE', 'listen on', path, 'another process answers there', {
      hint: 'Stop it, or choose another path with --socket.',
    });
  }
}

/** False only when the kernel says that nobody listens. */
function isAnswered(path: string, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    const settle = (answered: boolean): void => {
      timer.cancel();
      socket.destroy();
      resolve(answered);
    };
    const timer = clock.after(PROBE_TIMEOUT_MS, () => settle(true));
    socket.once('connect', () => settle(true));
    socket.once('error', (error) =>
      settle(!['ECONNREFUSED', 'ENOENT'].includes(systemCode(error) ?? '')),
    );
  });
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // `listen` binds before it returns, so the mask is narrow for that call alone.
    const mask = process.umask(0o177);
    try {
      server.listen({ path }, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
}

async function removeOwn(path: string, bound: BigIntStats): Promise<void> {
  const found = await lstat(path, { bigint: true }).catch(ignoreMissing);
  if (found?.ino === bound.ino && found.dev === bound.dev) {
    await unlink(path).catch(ignoreMissing);
  }
}

function ignoreMissing(error: unknown): undefined {
  if (systemCode(error) === 'ENOENT') return undefined;
  throw error;
}
