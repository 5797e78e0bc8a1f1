import type { Readable, Writable } from 'node:stream';
import { systemCode } from '../kernel/errors.ts';
import { withoutControls } from './output/printable.ts';

/** Where output goes and who sits there. Data goes to stdout, everything said about it to stderr. */
export interface Terminal {
  /** One line, or several, of data. */
  out(text: string): void;
  /** Bytes of data, as fast as they are taken; false: whoever takes them has seen enough. */
  send(pieces: AsyncIterable<Uint8Array>): Promise<boolean>;
  /** One line, or several, for people. */
  note(text: string): void;
  /** Text to stderr as it is, control characters included. */
  raw(text: string): void;
  /** Somebody watches stderr: progress may be drawn over itself. */
  readonly animated: boolean;
  readonly columns: number;
  /** Data on stdout may be coloured. */
  readonly color: boolean;
  readonly noteColor: boolean;
  /** Somebody can answer a question. */
  readonly interactive: boolean;
  /** What stdin gives until it ends; more than `bytesMax` is not waited for. */
  read(bytesMax: number): Promise<string>;
  /** Asks on stderr; resolves with the answer, trimmed. @throws the signal's reason */
  ask(question: string, signal: AbortSignal): Promise<string>;
}

export interface TerminalStreams {
  readonly stdin: Readable & { isTTY?: boolean };
  readonly stdout: Writable & { isTTY?: boolean };
  readonly stderr: Writable & { isTTY?: boolean; columns?: number };
}

const COLUMNS_DEFAULT = 80;

/** https://no-color.org: set to anything but nothing. */
function wantsColor(
  stream: { isTTY?: boolean },
  environment: NodeJS.ProcessEnv,
  allowed: boolean,
): boolean {
  const refused = (environment['NO_COLOR'] ?? '') !== '' || environment['TERM'] === 'dumb';
  return allowed && !refused && stream.isTTY === true;
}

export function openTerminal(
  streams: TerminalStreams,
  environment: NodeJS.ProcessEnv,
  colorAllowed: boolean,
): Terminal {
  const isDumb = environment['TERM'] === 'dumb';
  // Each stream is reached for when it is used: opening one takes a while.
  return {
    out: (text) => void streams.stdout.write(`${withoutControls(text)}\n`),
    send: (pieces) => sendTo(streams.stdout, pieces),
    note: (text) => void streams.stderr.write(`${withoutControls(text)}\n`),
    raw: (text) => void streams.stderr.write(text),
    get animated() {
      return !isDumb && streams.stderr.isTTY === true;
    },
    get columns() {
      return streams.stderr.columns ?? COLUMNS_DEFAULT;
    },
    get color() {
      return wantsColor(streams.stdout, environment, colorAllowed);
    },
    get noteColor() {
      return wantsColor(streams.stderr, environment, colorAllowed);
    },
    get interactive() {
      return streams.stdin.isTTY === true && streams.stderr.isTTY === true;
    },
    async read(bytesMax) {
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of streams.stdin) {
        chunks.push(Buffer.from(chunk));
        bytes += chunks.at(-1)!.length;
        if (bytes > bytesMax) break;
      }
      return Buffer.concat(chunks).toString('utf8');
    },
    async ask(question, signal) {
      const { createInterface } = await import('node:readline/promises');
      const lines = createInterface({ input: streams.stdin, output: streams.stderr });
      try {
        return (await lines.question(question, { signal })).trim();
      } finally {
        lines.close();
      }
    },
  };
}

async function sendTo(stdout: Writable, pieces: AsyncIterable<Uint8Array>): Promise<boolean> {
  // A reader that leaves, such as head(1), ends what is being sent, and not this process before it has tidied up.
  const others = stdout.listeners('error') as ((error: Error) => void)[];
  let failure: Error | null = null;
  const onError = (error: Error): void => {
    failure = error;
  };
  stdout.removeAllListeners('error').on('error', onError);
  try {
    for await (const piece of pieces) {
      await new Promise<void>((resolve) => {
        stdout.write(piece, (error) => {
          failure ??= error ?? null;
          resolve();
        });
      });
      if (failure !== null) break;
    }
  } finally {
    for (const other of others) stdout.on('error', other);
  }
  if (failure === null) {
    stdout.off('error', onError);
    return true;
  }
  if (systemCode(failure) === 'EPIPE') return false;
  throw failure;
}
