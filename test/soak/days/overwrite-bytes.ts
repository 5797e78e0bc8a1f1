import { closeSync, openSync, readSync, statSync, utimesSync, writeSync } from 'node:fs';

/** Changes bytes of a file, and gives back what puts them back, time included. */
export function overwriteBytes(path: string, at: number, length: number): () => void {
  const { atime, mtime } = statSync(path);
  const before = Buffer.alloc(length);
  const write = (bytes: Buffer): void => {
    const descriptor = openSync(path, 'r+');
    writeSync(descriptor, bytes, 0, bytes.length, at);
    closeSync(descriptor);
    utimesSync(path, atime, mtime);
  };
  const descriptor = openSync(path, 'r');
  const read = readSync(descriptor, before, 0, length, at);
  closeSync(descriptor);
  write(Buffer.from(before.subarray(0, read).map((byte) => byte ^ 0xa5)));
  return () => write(before.subarray(0, read));
}
