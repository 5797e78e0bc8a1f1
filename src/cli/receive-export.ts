import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chown, mkdir, rm, stat } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cannot } from '../kernel/errors.ts';
import type { CommandContext } from './context.ts';
import { socketOf } from './daemon-connection.ts';
import type { GlobalOptions } from './global-options.ts';

/** Longer ones are no address of a Unix socket. */
const SOCKET_PATH_BYTES_MAX = 103;

/** An export on its way to stdout: a worker writes to a private socket of this command. */
export interface ExportReceiver {
  /** Absolute path of the socket. */
  readonly path: string;
  /** False: whoever reads our stdout has seen enough. Resolves only once the worker has come and gone, or at `close`. */
  readonly received: Promise<Received>;
  close(): Promise<void>;
}

export interface Received {
  readonly isWhole: boolean;
  readonly sha256: string;
}

/** @param besideDaemon the daemon does the work: the socket must be where it can see it */
export async function receiveExport(
  context: CommandContext,
  options: GlobalOptions,
  besideDaemon: boolean,
): Promise<ExportReceiver> {
  const directory = await privateDirectory(context, options, besideDaemon);
  const path = join(directory, 's');
  const server = createServer();
  try {
    server.listen(path);
    await once(server, 'listening');
    if (besideDaemon) await giveTo(path, await ownerOfDaemon(context, options));
  } catch (error) {
    server.close();
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
  const closing = new AbortController();
  return {
    path,
    received: receive(context, server, closing.signal),
    async close() {
      closing.abort();
      server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function receive(
  { terminal }: CommandContext,
  server: Server,
  closing: AbortSignal,
): Promise<Received> {
  const hash = createHash('sha256');
  const socket = await firstConnection(server, closing);
  if (socket === null) return { isWhole: true, sha256: '' };
  server.close();
  closing.addEventListener('abort', () => socket.destroy(), { once: true });
  // How the job ended says whether everything was sent.
  socket.on('error', () => {});
  async function* pieces(connection: Socket): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of connection as AsyncIterable<Buffer>) {
        hash.update(piece);
        yield piece;
      }
    } catch {
      // Cut off: the sum tells.
    }
  }
  try {
    const isWhole = await terminal.send(pieces(socket));
    return { isWhole, sha256: hash.digest('hex') };
  } finally {
    socket.destroy();
  }
}

async function firstConnection(server: Server, closing: AbortSignal): Promise<Socket | null> {
  try {
    const [socket] = (await once(server, 'connection', { signal: closing })) as [Socket];
    return socket;
  } catch (error) {
    if (closing.aborted) return null;
    throw error;
  }
}

/** New and 0700. Beside the daemon's own socket, where it is not shut off from other people's temporary files. */
async function privateDirectory(
  context: CommandContext,
  options: GlobalOptions,
  besideDaemon: boolean,
): Promise<string> {
  const name = `export-${randomBytes(6).toString('hex')}`;
  const parents = [tmpdir(), '/tmp'];
  if (besideDaemon) parents.unshift(dirname(await socketOf(options, context.environment)));
  let failure: unknown = null;
  for (const parent of parents) {
    const directory = join(parent, name);
    if (Buffer.byteLength(join(directory, 's')) > SOCKET_PATH_BYTES_MAX) continue;
    try {
      await mkdir(directory, { mode: 0o700 });
    } catch (error) {
      failure = error;
      continue;
    }
    if (besideDaemon) await giveTo(directory, await ownerOfDaemon(context, options));
    return directory;
  }
  throw cannot('IO_ERROR', 'make a socket in', parents[0]!, 'there is no place for it', {
    hint: 'Set TMPDIR to a directory with a short name, or export to a file.',
    cause: failure,
  });
}

const ownerOfDaemon = async (
  { environment }: CommandContext,
  options: GlobalOptions,
): Promise<number> => (await stat(await socketOf(options, environment))).uid;

/** Root asks a daemon of somebody else: its worker must be able to come in. */
async function giveTo(path: string, uid: number): Promise<void> {
  if (process.getuid?.() === 0 && uid !== 0) await chown(path, uid, -1);
}
