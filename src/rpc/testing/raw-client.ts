import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';

/** A client that may send any bytes, for tests of what the server does with them. */
export class RawClient {
  readonly socket: Socket;
  #text = '';
  readonly #lines: string[] = [];
  readonly #waiting: ((line: string | null) => void)[] = [];
  readonly ended: Promise<void>;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('utf8');
    socket.on('error', () => {});
    socket.on('data', (text: string) => {
      this.#text += text;
      const parts = this.#text.split('\n');
      this.#text = parts.pop()!;
      for (const line of parts) {
        const waiting = this.#waiting.shift();
        if (waiting === undefined) this.#lines.push(line);
        else waiting(line);
      }
    });
    this.ended = new Promise((resolve) => {
      socket.on('close', () => {
        resolve();
        for (const waiting of this.#waiting.splice(0)) waiting(null);
      });
    });
  }

  static async open(path: string): Promise<RawClient> {
    const socket = createConnection({ path });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  send(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  request(method: string, params: unknown = {}, id: unknown = 1): void {
    this.send(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
  }

  /** The next line, parsed; null when the connection ended without one. */
  async read(): Promise<any> {
    const line =
      this.#lines.shift() ??
      (this.socket.destroyed
        ? null
        : await new Promise<string | null>((resolve) => this.#waiting.push(resolve)));
    return line === null ? null : JSON.parse(line);
  }

  async ask(method: string, params: unknown = {}, id: unknown = 1): Promise<any> {
    this.request(method, params, id);
    return this.read();
  }

  close(): void {
    this.socket.destroy();
  }
}
