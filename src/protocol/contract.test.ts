import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../kernel/errors.ts';
import {
  INVALID_REQUEST,
  METHOD_NOT_FOUND,
  PARSE_ERROR,
  RPC_ERROR_NUMBERS,
} from './error-numbers.ts';
import { isMethodName, methods, needsHello } from './methods.ts';
import { openRpcDocument } from './openrpc.ts';
import { PROTOCOL_VERSION, PROTOCOL_VERSION_MIN } from './protocol-version.ts';

/**
 * Changes to the contract are deliberate: whoever changes a schema sees this fail, decides whether an existing
 * client could misread the new form (then PROTOCOL_VERSION rises), and pins the new value.
 */
const CONTRACT_SHA256 = 'be49e2812e48ed68691d5ef7a798a076aa3659d95115a7d1409c85b2e4e0ff0a';

describe('protocol', () => {
  it('the contract is the one that was agreed', () => {
    const hash = createHash('sha256').update(JSON.stringify(openRpcDocument())).digest('hex');
    expect(hash).toBe(CONTRACT_SHA256);
    expect(PROTOCOL_VERSION).toBe(1);
    expect(PROTOCOL_VERSION_MIN).toBeLessThanOrEqual(PROTOCOL_VERSION);
  });

  it('every stable error string has a number of its own', () => {
    expect(Object.keys(RPC_ERROR_NUMBERS).sort()).toEqual([...ERROR_CODES].sort());
    const numbers = [
      ...Object.values(RPC_ERROR_NUMBERS),
      PARSE_ERROR,
      INVALID_REQUEST,
      METHOD_NOT_FOUND,
    ];
    expect(new Set(numbers).size).toBe(numbers.length);
    for (const number of Object.values(RPC_ERROR_NUMBERS)) {
      expect(number === -32602 || number === -32603 || (number <= -32000 && number >= -32099)).toBe(
        true,
      );
    }
  });

  it('methods are called noun.verb, and only own names count', () => {
    for (const name of Object.keys(methods)) expect(name).toMatch(/^[a-z]+\.[a-z][A-Za-z]*$/);
    for (const name of ['toString', '__proto__', 'constructor', 'daemon', '']) {
      expect(isMethodName(name)).toBe(false);
    }
  });

  it('only greetings, probes and the contract itself are open to strangers', () => {
    const open = (Object.keys(methods) as (keyof typeof methods)[]).filter(
      (name) => !needsHello(name),
    );
    expect(open.sort()).toEqual([
      'daemon.hello',
      'daemon.ping',
      'health.live',
      'health.ready',
      'health.report',
      'rpc.discover',
    ]);
  });

  it('M-08, M-D2: every params schema refuses unknown fields, so that a misspelt option is never ignored', () => {
    for (const [name, { params }] of Object.entries(methods)) {
      const parsed = params.safeParse({ thisFieldDoesNotExist: 1 });
      const codes = parsed.error?.issues.map(({ code }) => code) ?? [];
      expect(codes, name).toContain('unrecognized_keys');
    }
  });

  it('the OpenRPC document names every method with its params', () => {
    const document = JSON.parse(JSON.stringify(openRpcDocument()));
    expect(document.methods.map(({ name }: { name: string }) => name)).toEqual(
      Object.keys(methods).sort(),
    );
    const create = document.methods.find(
      ({ name }: { name: string }) => name === 'snapshot.create',
    );
    expect(create.params).toContainEqual({
      name: 'type',
      required: false,
      schema: { default: 'full', type: 'string', enum: ['full', 'config', 'data'] },
    });
    expect(JSON.stringify(document).length).toBeLessThan(512 * 1024);
  });

  it('the map of methods, which clients import, holds types alone', () => {
    const text = readFileSync(new URL('method-map.ts', import.meta.url), 'utf8');
    const imports = text.match(/^import .*$/gm) ?? [];
    expect(imports.length).toBeGreaterThan(0);
    for (const line of imports) expect(line).toMatch(/^import type /);
    expect(text).not.toMatch(/^export (?!type|interface)/m);
  });
});
