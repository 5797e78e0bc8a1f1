import { cannot } from '../kernel/errors.ts';
import { SOCKET_PATH_BYTES_MAX } from '../kernel/limits.ts';

/** @throws CONFIG_INVALID: Node 20 cuts longer paths silently, and would use another socket. */
export function assertSocketPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= SOCKET_PATH_BYTES_MAX && !path.includes('\0') && path.startsWith('/')) return;
  const state = path.startsWith('/')
    ? `the path is ${bytes} bytes long, and a socket's may have ${SOCKET_PATH_BYTES_MAX}`
    : 'the path is not absolute';
  throw cannot('CONFIG_INVALID', 'use the socket', path, state, {
    hint: 'Choose a shorter absolute path with --socket or HOLDFAST_SOCKET.',
  });
}
