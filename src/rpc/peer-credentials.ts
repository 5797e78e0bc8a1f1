import type { Socket } from 'node:net';

/** Who is at the other end of a Unix socket, as the kernel noted when it connected. */
export interface PeerCredentials {
  readonly uid: number;
  readonly gid: number;
  /** Null where the system does not say. */
  readonly pid: number | null;
}

/** Null where it cannot be told: for the record, never for a decision on who may do what. */
export type ReadPeerCredentials = (socket: Socket) => PeerCredentials | null;

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** struct ucred: pid, uid, gid, 32 bits each. */
const UCRED_BYTES = 12;

/** Node has no call for it. Without the optional koffi package, and on other systems, nobody is known. */
export async function loadPeerCredentials(): Promise<ReadPeerCredentials> {
  try {
    if (process.platform === 'linux') return await readThroughGetsockopt();
    if (process.platform === 'darwin') return await readThroughGetpeereid();
  } catch {
    // The package or the function is missing.
  }
  return () => null;
}

async function readThroughGetsockopt(): Promise<ReadPeerCredentials> {
  const { default: koffi } = await import('koffi');
  const getsockopt = koffi
    .load(null)
    .func(
      'int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *length)',
    );
  return (socket) => {
    const fd = descriptorOf(socket);
    if (fd === null) return null;
    const value = Buffer.alloc(UCRED_BYTES);
    const length = [UCRED_BYTES];
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, value, length) !== 0) return null;
    if (length[0] !== UCRED_BYTES) return null;
    const pid = readNative(value, 0);
    // 0: a process that this one cannot see, as on the other side of a container.
    return { pid: pid === 0 ? null : pid, uid: readNative(value, 4), gid: readNative(value, 8) };
  };
}

async function readThroughGetpeereid(): Promise<ReadPeerCredentials> {
  const { default: koffi } = await import('koffi');
  const getpeereid = koffi
    .load('libSystem.B.dylib')
    .func('int getpeereid(int fd, _Out_ uint32_t *uid, _Out_ uint32_t *gid)');
  return (socket) => {
    const fd = descriptorOf(socket);
    const [uid, gid] = [[0], [0]];
    if (fd === null || getpeereid(fd, uid, gid) !== 0) return null;
    return { uid: uid[0]!, gid: gid[0]!, pid: null };
  };
}

const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

const readNative = (bytes: Buffer, offset: number): number =>
  LITTLE_ENDIAN ? bytes.readUInt32LE(offset) : bytes.readUInt32BE(offset);

/** An inner field of Node's: where it is gone one day, nobody is known. */
function descriptorOf(socket: Socket): number | null {
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: unknown } };
  return typeof handle?.fd === 'number' && handle.fd >= 0 ? handle.fd : null;
}
