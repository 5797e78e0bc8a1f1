import type { MethodName } from '../../src/protocol/method-map.ts';
import { methods } from '../../src/protocol/methods.ts';
import { jsonSchema } from '../../src/protocol/openrpc.ts';
import {
  below,
  frameText,
  hostileKey,
  hostileValue,
  type Known,
  nested,
  pick,
  type Random,
  wantedValue,
  withKey,
} from './frame-values.ts';

/** Lines for a socket, from requests as they should be to bytes that are no text. */

const NAMES = Object.keys(methods) as MethodName[];
const SCHEMAS = new Map(NAMES.map((name) => [name, jsonSchema(methods[name].params, 'input')]));

/** A large answer for a few bytes: asked for now and then. */
const RARELY: ReadonlySet<string> = new Set(['rpc.discover']);

export class FrameGenerator {
  readonly #random: Random;
  readonly #known: Known;
  readonly #harmless: readonly MethodName[];
  #lastId = 0;

  constructor(random: Random, known: Known, harmless: ReadonlySet<MethodName>) {
    this.#random = random;
    this.#known = known;
    this.#harmless = [...harmless];
  }

  /** One frame with its newline; a mutation of its bytes may have made more or less than one of it. */
  next(): Buffer {
    const kind = this.#random();
    if (kind < 0.25) return this.#line(frameText(this.#request(this.#harmlessName())));
    if (kind < 0.58) return this.#line(frameText(this.#mutatedRequest()));
    if (kind < 0.7) return this.#line(frameText(this.#mutatedEnvelope()));
    if (kind < 0.85) return this.#mutatedBytes();
    if (kind < 0.92) return this.#line(this.#batch());
    if (kind < 0.95) return this.#line(this.#nonsense());
    if (kind < 0.97) return this.#line(this.#duplicateKeys());
    if (kind < 0.9995) return this.#line(frameText(this.#nestedRequest()));
    return this.#line(this.#large());
  }

  #line(text: string): Buffer {
    return Buffer.from(`${text}${this.#random() < 0.1 ? '\r\n' : '\n'}`);
  }

  #harmlessName(): MethodName {
    const name = pick(this.#random, this.#harmless);
    return RARELY.has(name) && this.#random() < 0.95 ? 'daemon.ping' : name;
  }

  #id(): unknown {
    this.#lastId += 1;
    const kind = this.#random();
    if (kind < 0.6) return this.#lastId;
    if (kind < 0.8) return `id ${this.#lastId}`;
    if (kind < 0.9) return -this.#lastId - 0.5;
    return `\u0000"\\\u202e${this.#lastId}`;
  }

  #request(method: MethodName): Record<string, unknown> {
    const params = wantedValue(this.#random, SCHEMAS.get(method)!, this.#known);
    return { jsonrpc: '2.0', id: this.#id(), method, params };
  }

  #mutatedRequest(): unknown {
    const request = this.#request(pick(this.#random, NAMES));
    return { ...request, params: this.#mutated(request['params'] as object) };
  }

  #mutated(params: object): unknown {
    const random = this.#random;
    const kind = random();
    const keys = Object.keys(params);
    if (kind < 0.1) return Object.values(params);
    if (kind < 0.3) return withKey(params, hostileKey(random), hostileValue(random));
    if (kind < 0.4 && keys.length > 0) {
      const gone = pick(random, keys);
      return Object.fromEntries(Object.entries(params).filter(([key]) => key !== gone));
    }
    const all = [...keys, ...Object.keys(this.#known)];
    return withKey(params, pick(random, all), hostileValue(random));
  }

  #mutatedEnvelope(): unknown {
    const random = this.#random;
    const request = this.#request(pick(random, NAMES));
    const kind = random();
    if (kind < 0.15) return withKey(request, 'id', hostileValue(random));
    if (kind < 0.25) return withKey(request, 'jsonrpc', hostileValue(random));
    if (kind < 0.4) return withKey(request, 'method', this.#odd(String(request['method'])));
    if (kind < 0.55) return withKey(request, 'params', hostileValue(random));
    if (kind < 0.65) return withKey(request, hostileKey(random), hostileValue(random));
    const { id: _, ...notification } = request;
    if (kind < 0.75) return notification;
    if (kind < 0.8) return { ...notification, id: null };
    if (kind < 0.9) return { jsonrpc: '2.0', id: request['id'], result: hostileValue(random) };
    if (kind < 0.95) return { jsonrpc: '2.0', id: request['id'], error: { code: 1, message: '' } };
    return hostileValue(random);
  }

  #odd(method: string): unknown {
    const random = this.#random;
    return pick(random, [
      method.toUpperCase(),
      `${method} `,
      `${method}\u0000`,
      method.split('.')[0],
      'rpc.',
      '__proto__',
      'constructor',
      'x'.repeat(201),
      hostileValue(random),
    ]);
  }

  #nestedRequest(): unknown {
    const request = this.#request(pick(this.#random, NAMES));
    const levels = 2 ** below(this.#random, 12);
    const place = pick(this.#random, ['patch', 'source', 'plugin', 'hook', 'client', 'after', 'x']);
    const params = withKey(
      request['params'] as object,
      place,
      withKey({}, 'a', nested(this.#random, levels)),
    );
    return { ...request, params };
  }

  #batch(): string {
    const length = this.#random() < 0.1 ? below(this.#random, 60) : below(this.#random, 8);
    const items = Array.from({ length }, () => {
      const kind = this.#random();
      if (kind < 0.4) return this.#request(this.#harmlessName());
      if (kind < 0.7) return this.#mutatedRequest();
      return this.#mutatedEnvelope();
    });
    return frameText(items);
  }

  #nonsense(): string {
    const random = this.#random;
    return pick(random, [
      '',
      '   \t',
      '\r',
      'null',
      'GET / HTTP/1.1',
      '\u0016\u0003\u0001\u0002',
      '[',
      ']',
      '{}',
      '[[]]',
      '[{}]',
      '{"jsonrpc":"2.0"',
      '"\\',
      `${'['.repeat(2 ** below(random, 12))}`,
      `\ufeff${frameText(this.#request('daemon.ping'))}`,
      `${frameText(this.#request('daemon.ping'))}${frameText(this.#request('daemon.ping'))}`,
    ]);
  }

  #duplicateKeys(): string {
    const one = frameText(this.#request(pick(this.#random, NAMES)));
    const other = frameText(this.#mutatedEnvelope());
    return `${one.slice(0, -1)},${other.startsWith('{') ? other.slice(1) : `"id":${other}}`}`;
  }

  #large(): string {
    const request = this.#request('daemon.ping');
    const text = frameText({ ...request, params: { x: '' } });
    const filling = 'y'.repeat(below(this.#random, 2) === 0 ? 100_000 : 1_048_500 - text.length);
    return text.replace('""', () => `"${filling}"`);
  }

  #mutatedBytes(): Buffer {
    const random = this.#random;
    const name = pick(random, NAMES);
    const bytes = [...this.#line(frameText(this.#request(name)))];
    for (let left = 1 + below(random, 3); left > 0; left -= 1) {
      const at = below(random, bytes.length);
      const piece = pick(random, [
        [below(random, 256)],
        [0x00],
        [0xff, 0xfe],
        [0xed, 0xa0, 0x80],
        [0xc0, 0xaf],
        [0xef, 0xbb, 0xbf],
        [0x0d, 0x0a],
        [0x0a],
        [...Buffer.from('"{}[],:\\'.charAt(below(random, 8)))],
        [],
      ]);
      const removed = random() < 0.5 ? below(random, 4) : 0;
      bytes.splice(at, removed, ...piece);
    }
    if (bytes.at(-1) !== 0x0a) bytes.push(0x0a);
    return Buffer.from(bytes);
  }
}
