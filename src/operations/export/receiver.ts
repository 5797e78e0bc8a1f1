import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { cannot, messageOf } from '../../kernel/errors.ts';

/** Somebody who waits on a Unix socket of their own for the bytes of an export. */
export interface Receiver {
  /** Resolves when there is room for more. @throws CANCELLED once nobody listens any more */
  send(bytes: Uint8Array): Promise<void>;
  /** Everything was taken, and the end of it was told. @throws CANCELLED */
  end(): Promise<void>;
  close(): void;
}

/** @param signal ends the wait for a receiver that takes nothing. @throws PATH_NOT_FOUND where nobody waits */
export async function connectReceiver(path: string, signal: AbortSignal): Promise<Receiver> {
  const socket = connect(path);
  const onAbort = (): void => void socket.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await once(socket, 'connect');
  } catch (error) {
    throw cannot('PATH_NOT_FOUND', 'send an export to', path, messageOf(error), {
      hint: 'Whoever asks for an export to a socket listens on it until the job has ended.',
      cause: error,
    });
  }
  // Heard of by the next who sends; without a listener it would end the process.
  socket.on('error', () => {});
  // The receiver says nothing; reading is how its end is heard of.
  socket.resume();
  return {
    send: (bytes) => send(socket, bytes),
    end: async () => {
      if (socket.destroyed) throw gone();
      const closed = once(socket, 'close');
      socket.end();
      await closed;
      if (socket.errored !== null) throw gone();
    },
    close: () => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
    },
  };
}

async function send(socket: Socket, bytes: Uint8Array): Promise<void> {
  if (socket.destroyed || !socket.writable) throw gone();
  if (socket.write(bytes)) return;
  await new Promise<void>((resolve, reject) => {
    const onDrain = (): void => {
      socket.off('close', onClose);
      resolve();
    };
    const onClose = (): void => {
      socket.off('drain', onDrain);
      reject(gone());
    };
    socket.once('drain', onDrain).once('close', onClose);
  });
}

const gone = (): Error =>
  cannot('CANCELLED', 'send', 'the export', 'whoever it was for has seen enough');
