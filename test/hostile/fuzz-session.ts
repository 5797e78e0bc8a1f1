import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { MethodName } from '../../src/protocol/method-map.ts';
import { type ExpectedAnswer, expectedOf } from './expected-answers.ts';
import type { FrameGenerator } from './frame-generator.ts';
import { below, pick, type Random } from './frame-values.ts';

/** One connection: frames go out in pieces of any size, and every answer is held against what is due. */

export interface FuzzTally {
  frames: number;
  /** Frames not sent, because they would have changed something. */
  withheld: number;
  connections: number;
  bytes: number;
  /** Connections that left without hearing their answers. */
  abandoned: number;
  executed: number;
  readonly answers: Map<string, number>;
  readonly failures: string[];
}

export const newTally = (): FuzzTally => ({
  frames: 0,
  withheld: 0,
  connections: 0,
  bytes: 0,
  abandoned: 0,
  executed: 0,
  answers: new Map(),
  failures: [],
});

export interface FuzzOptions {
  readonly socketPath: string;
  readonly random: Random;
  readonly frames: FrameGenerator;
  readonly frameCount: number;
  readonly harmless: ReadonlySet<MethodName>;
  readonly knownCodes: ReadonlySet<number>;
  readonly tally: FuzzTally;
  /** How a failure names this connection. */
  readonly label: string;
}

const HELLO = '{"jsonrpc":"2.0","id":"hello","method":"daemon.hello","params":{"protocol":1}}\n';
const INTERNAL = -32603;
const SILENCE_MS = 60_000;
const REQUEST_BYTES_MAX = 1024 * 1024;
const ENDINGS = ['half-close', 'half-close', 'half a frame', 'too long', 'gone'] as const;

export async function fuzzSession(options: FuzzOptions): Promise<void> {
  const { random, tally } = options;
  const session = new FuzzedConnection(options);
  tally.connections += 1;
  await session.open(random() < 0.9);
  const ending = pick(random, ENDINGS);
  await session.send(session.compose());
  await session.end(ending);
}

class FuzzedConnection {
  readonly #options: FuzzOptions;
  readonly #socket: Socket;
  readonly #due = new Map<string, (number | null)[]>();
  #dueCount = 0;
  #greeted = false;
  #hello: (() => void) | null = null;
  #idle: (() => void) | null = null;
  #text = '';
  readonly #closed: Promise<unknown>;

  constructor(options: FuzzOptions) {
    this.#options = options;
    this.#socket = connect({ path: options.socketPath, allowHalfOpen: true });
    this.#socket.on('error', () => {});
    this.#socket.on('end', () => this.#socket.end());
    this.#closed = new Promise((resolve) => this.#socket.once('close', resolve));
    this.#socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = `${this.#text}${text}`.split('\n');
      this.#text = lines.pop()!;
      for (const line of lines) this.#hear(line);
    });
  }

  async open(greets: boolean): Promise<void> {
    await once(this.#socket, 'connect');
    if (!greets) return;
    this.#socket.write(HELLO);
    const greeted = new Promise<void>((resolve) => {
      this.#hello = resolve;
    });
    await Promise.race([greeted, this.#closed]);
    this.#greeted = true;
  }

  /** Frames that change nothing; what is due for them is noted. */
  compose(): Buffer {
    const { frames, frameCount, harmless, tally, random } = this.#options;
    const count = 1 + below(random, 2 * frameCount);
    const pieces: Buffer[] = [];
    while (pieces.length < count) {
      const piece = frames.next();
      const verdicts = linesOf(piece).map((line) => expectedOf(line, this.#greeted));
      const executed = verdicts.flatMap((verdict) => verdict.executed);
      const greets = !this.#greeted && executed.includes('daemon.hello');
      if (greets || executed.some((name) => !harmless.has(name))) {
        tally.withheld += 1;
        continue;
      }
      pieces.push(piece);
      tally.frames += verdicts.length;
      tally.executed += executed.length;
      for (const { batch, answers } of verdicts) {
        for (const answer of answers) this.#expect(answer, batch);
      }
    }
    return Buffer.concat(pieces);
  }

  async send(bytes: Buffer): Promise<void> {
    const { random, tally } = this.#options;
    tally.bytes += bytes.length;
    const byteByByte = bytes.length < 2_000 || random() < 0.01;
    const most = byteByByte ? 3 : pick(random, [40, 700, 70_000, 2_000_000]);
    // Each piece is a call of the system: what is long goes out in larger ones.
    const longest = bytes.length > 100_000 ? Math.max(most, 700) : most;
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + below(random, longest);
      const flushed = this.#socket.write(bytes.subarray(at, end));
      at = end;
      if (!flushed) await this.#drained();
      if (this.#socket.destroyed) break;
    }
  }

  async end(how: (typeof ENDINGS)[number]): Promise<void> {
    const { tally } = this.#options;
    if (how === 'gone') {
      tally.abandoned += 1;
      this.#socket.write('{"jsonrpc":"2.0","id":1,"meth');
      this.#socket.destroy();
      await this.#closed;
      return;
    }
    if (how === 'too long') {
      await this.#answered();
      this.#expect({ id: null, code: -32015 }, false);
      this.#socket.write(Buffer.alloc(REQUEST_BYTES_MAX + 10, 'z'));
    } else if (how === 'half a frame') {
      this.#expect({ id: null, code: -32700 }, false);
      this.#socket.end('{"jsonrpc":"2.0","id":1,"meth');
    } else {
      this.#socket.end();
    }
    await this.#closedInTime();
    for (const [key, codes] of this.#due) {
      for (const code of codes) this.#fail(`no answer to ${key}, due: ${code ?? 'any'} (${how})`);
    }
    if (this.#text !== '') this.#fail(`half an answer: ${this.#text.slice(0, 200)}`);
  }

  #drained(): Promise<unknown> {
    const drained = new Promise((resolve) => this.#socket.once('drain', resolve));
    return Promise.race([drained, this.#closed]);
  }

  #answered(): Promise<unknown> {
    if (this.#dueCount === 0) return Promise.resolve();
    const idle = new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
    return Promise.race([idle, this.#closedInTime()]);
  }

  /** Waits as long as anything comes. */
  async #closedInTime(): Promise<void> {
    const timer = setTimeout(() => {
      this.#fail(`silence, due: ${[...this.#due].slice(0, 5).join('; ')}`);
      this.#socket.destroy();
    }, SILENCE_MS);
    this.#socket.on('data', () => timer.refresh());
    await this.#closed;
    clearTimeout(timer);
  }

  #expect({ id, code }: ExpectedAnswer, batch: boolean): void {
    const key = keyOf(id, batch);
    const codes = this.#due.get(key);
    if (codes === undefined) this.#due.set(key, [code]);
    else codes.push(code);
    this.#dueCount += 1;
  }

  #hear(line: string): void {
    let heard: unknown;
    try {
      heard = JSON.parse(line);
    } catch {
      this.#fail(`an answer is not JSON: ${line.slice(0, 200)}`);
      return;
    }
    if (Array.isArray(heard)) for (const each of heard) this.#settle(each, true);
    else this.#settle(heard as Record<string, unknown>, false);
  }

  #settle(answer: Record<string, any>, batch: boolean): void {
    if (answer['method'] === 'event' && !('id' in answer)) return;
    if (answer['id'] === 'hello' && this.#hello !== null) {
      this.#hello();
      this.#hello = null;
      return;
    }
    const { answers } = this.#options.tally;
    const code: number | null = answer['error']?.code ?? null;
    const name = code === null ? 'result' : String(answer['error'].data?.code ?? code);
    const label = code !== null && code <= -32600 ? `${code} ${name}` : name;
    answers.set(label, (answers.get(label) ?? 0) + 1);
    const key = keyOf(answer['id'], batch);
    const reason = this.#reasonAgainst(key, code, answer);
    if (reason !== null) this.#fail(`${reason}: ${JSON.stringify(answer).slice(0, 300)}`);
    if (this.#dueCount === 0) this.#idle?.();
  }

  /** Takes the answer off what is due. */
  #reasonAgainst(key: string, code: number | null, answer: Record<string, any>): string | null {
    const codes = this.#due.get(key);
    const exact = codes?.indexOf(code) ?? -1;
    const index = exact !== -1 && code !== null ? exact : (codes?.indexOf(null) ?? -1);
    if (codes === undefined || index === -1) return `not due (${codes?.join(', ') ?? 'nothing'})`;
    codes.splice(index, 1);
    if (codes.length === 0) this.#due.delete(key);
    this.#dueCount -= 1;
    if (code === INTERNAL) return 'an internal error';
    if (answer['jsonrpc'] !== '2.0') return 'not JSON-RPC 2.0';
    if (code === null) return 'result' in answer ? null : 'neither result nor error';
    if (!this.#options.knownCodes.has(code)) return 'an unknown code';
    const { message, data } = answer['error'];
    const isWhole =
      typeof message === 'string' &&
      typeof data?.code === 'string' &&
      typeof data.retryable === 'boolean' &&
      (data.hint === null || typeof data.hint === 'string');
    return isWhole ? null : 'an error without its data';
  }

  #fail(reason: string): void {
    const { tally, label } = this.#options;
    if (tally.failures.length < 20) tally.failures.push(`${label}: ${reason}`);
  }
}

const keyOf = (id: unknown, batch: boolean): string =>
  `${batch ? 'batch ' : ''}${JSON.stringify(id)}`;

function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0x0a, at);
    lines.push(bytes.subarray(at, end));
    at = end + 1;
  }
  return lines;
}
