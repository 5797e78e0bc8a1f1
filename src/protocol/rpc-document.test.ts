import { expect, it } from 'vitest';
import { RPC_ERROR_NUMBERS } from './error-numbers.ts';
import { methods } from './methods.ts';
import { openRpcDocument } from './openrpc.ts';
import { rpcDocument } from './rpc-document.ts';

it('M-63: docs/rpc.md says what the contract says', async () => {
  await expect(rpcDocument()).toMatchFileSnapshot('../../docs/rpc.md');
});

it('M-63: rpc.discover has params, result and errors of every method, and every error with its number', () => {
  const { methods: listed, components } = openRpcDocument() as unknown as {
    methods: {
      name: string;
      params: unknown[];
      result: { schema: unknown };
      errors: { $ref: string }[];
    }[];
    components: { errors: Record<string, { code: number; message: string }> };
  };
  expect(listed.map(({ name }) => name)).toEqual(Object.keys(methods).sort());
  for (const { name, params, result, errors } of listed) {
    expect(Array.isArray(params), name).toBe(true);
    expect(result.schema, name).toBeTypeOf('object');
    const codes = errors.map(({ $ref }) => $ref.replace('#/components/errors/', ''));
    expect(codes, name).toContain('INVALID_PARAMS');
    for (const code of codes) expect(components.errors, name).toHaveProperty(code);
  }
  const numbers = Object.values(components.errors).map(({ code, message }) => [message, code]);
  expect(Object.fromEntries(numbers)).toEqual(RPC_ERROR_NUMBERS);
});
