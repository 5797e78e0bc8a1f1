import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';

/** What record-writes.c wrote, one call after the other. Paths are below the recorded folder; `''` is itself. */
export type RecordedCall =
  | {
      readonly operation: 'make-file' | 'make-directory';
      readonly inode: string;
      readonly mode: number;
      readonly path: string;
    }
  | {
      readonly operation: 'make-symlink';
      readonly inode: string;
      readonly path: string;
      readonly target: string;
    }
  | { readonly operation: 'link'; readonly inode: string; readonly path: string }
  | { readonly operation: 'rename'; readonly from: string; readonly to: string }
  | { readonly operation: 'unlink' | 'remove-directory'; readonly path: string }
  | {
      readonly operation: 'write';
      readonly inode: string;
      readonly offset: number;
      readonly bytes: Buffer;
    }
  | { readonly operation: 'set-size'; readonly inode: string; readonly size: number }
  | {
      readonly operation: 'change-mode';
      readonly inode: string;
      readonly mode: number;
      readonly path: string;
    }
  | { readonly operation: 'sync-file'; readonly inode: string }
  | { readonly operation: 'sync-directory'; readonly path: string }
  /** Not a call: what had been reported as done by now. */
  | { readonly operation: 'acknowledge'; readonly what: string };

/** By their numbers in record-writes.c; 0 is never written there. */
const OPERATIONS = [
  'acknowledge',
  'make-file',
  'make-directory',
  'make-symlink',
  'link',
  'rename',
  'unlink',
  'remove-directory',
  'write',
  'set-size',
  'change-mode',
  'sync-file',
  'sync-directory',
] as const;

const HEAD_BYTES = 32;
const LOCK_BYTES = 4096;

/** An empty log, and the lock beside it. */
export function createWriteLog(path: string): void {
  writeFileSync(path, '');
  writeFileSync(`${path}.lock`, Buffer.alloc(LOCK_BYTES));
}

/** Notes in the log that something was reported as done: every call recorded so far came before. */
export function acknowledge(path: string, what: string): void {
  const text = Buffer.from(what);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(text.length, 24);
  appendFileSync(path, Buffer.concat([head, text]));
}

export function readWriteLog(path: string): RecordedCall[] {
  const log = readFileSync(path);
  const calls: RecordedCall[] = [];
  for (let at = 0; at < log.length; ) {
    const firstBytes = log.readUInt32LE(at + 24);
    const second = at + HEAD_BYTES + firstBytes;
    const end = second + log.readUInt32LE(at + 28);
    calls.push(
      callOf({
        operation: OPERATIONS[log.readUInt32LE(at)]!,
        mode: log.readUInt32LE(at + 4),
        inode: String(log.readBigUInt64LE(at + 8)),
        offset: Number(log.readBigInt64LE(at + 16)),
        path: log.toString('utf8', at + HEAD_BYTES, second),
        second: log.subarray(second, end),
      }),
    );
    at = end;
  }
  return calls;
}

function callOf(record: {
  readonly operation: (typeof OPERATIONS)[number];
  readonly mode: number;
  readonly inode: string;
  readonly offset: number;
  readonly path: string;
  readonly second: Buffer;
}): RecordedCall {
  const { operation, mode, inode, offset, path, second } = record;
  switch (operation) {
    case 'acknowledge':
      return { operation, what: path };
    case 'make-file':
    case 'make-directory':
    case 'change-mode':
      return { operation, inode, mode, path };
    case 'make-symlink':
      return { operation, inode, path, target: second.toString() };
    case 'link':
      return { operation, inode, path };
    case 'rename':
      return { operation, from: path, to: second.toString() };
    case 'unlink':
    case 'remove-directory':
    case 'sync-directory':
      return { operation, path };
    case 'write':
      return { operation, inode, offset, bytes: second };
    case 'set-size':
      return { operation, inode, size: offset };
    case 'sync-file':
      return { operation, inode };
  }
}

/** For people. */
export function describeCall(call: RecordedCall): string {
  switch (call.operation) {
    case 'write':
      return `write ${call.bytes.length} at ${call.offset} of ${call.inode}`;
    case 'set-size':
      return `set-size ${call.size} of ${call.inode}`;
    case 'sync-file':
      return `sync-file ${call.inode}`;
    case 'rename':
      return `rename ${call.from} to ${call.to}`;
    case 'acknowledge':
      return `acknowledge ${call.what}`;
    default:
      return `${call.operation} ${call.path}`;
  }
}
