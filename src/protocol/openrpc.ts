import { z } from 'zod';
import { RPC_ERROR_NUMBERS, type RpcErrorCode } from './error-numbers.ts';
import { EVENT_METHOD, eventNotification } from './event.ts';
import { methods, needsHello } from './methods.ts';
import { PROTOCOL_VERSION } from './protocol-version.ts';

interface ObjectSchema {
  readonly properties?: Record<string, unknown>;
  readonly required?: readonly string[];
}

/** JSON Schema of what is sent: for params what a client may write, for results what it reads. */
export function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, target: 'draft-7' });
  return rest;
}

function methodObject(name: keyof typeof methods): Record<string, unknown> {
  const { summary, params, result } = methods[name];
  const { properties = {}, required = [] } = jsonSchema(params, 'input') as ObjectSchema;
  return {
    name,
    summary,
    paramStructure: 'by-name',
    params: Object.entries(properties).map(([property, schema]) => ({
      name: property,
      required: required.includes(property),
      schema,
    })),
    result: { name: 'result', schema: jsonSchema(result, 'output') },
    errors: errorsOf(name).map((code) => ({ $ref: `#/components/errors/${code}` })),
    'x-needsHello': needsHello(name),
  };
}

/** What any call of it may be refused with; what it may find wrong with its subject is any of the others. */
function errorsOf(name: keyof typeof methods): RpcErrorCode[] {
  const { result } = methods[name];
  const { properties = {} } = jsonSchema(result, 'output') as ObjectSchema;
  const submits = 'job' in properties && 'coalesced' in properties;
  return [
    'INVALID_PARAMS',
    'LIMIT_EXCEEDED',
    'INTERNAL',
    ...(needsHello(name) ? (['PROTOCOL_MISMATCH'] as const) : []),
    ...(submits ? (['QUEUE_FULL', 'NOT_READY'] as const) : []),
  ];
}

/** Every error of the socket by its stable string; `data` is the same for all of them. */
function errorObjects(): Record<string, unknown> {
  const data = {
    type: 'object',
    properties: {
      code: { type: 'string' },
      retryable: { type: 'boolean' },
      hint: { type: ['string', 'null'] },
      details: { type: 'object' },
    },
    required: ['code', 'retryable', 'hint'],
  };
  const entries = Object.entries(RPC_ERROR_NUMBERS).sort(([left], [right]) =>
    left < right ? -1 : 1,
  );
  return Object.fromEntries(
    entries.map(([message, code]) => [message, { code, message, 'x-dataSchema': data }]),
  );
}

/** The OpenRPC 1.3 document of the socket, methods by name. */
export function openRpcDocument(): Record<string, unknown> & { openrpc: string } {
  const names = Object.keys(methods).sort() as (keyof typeof methods)[];
  return {
    openrpc: '1.3.2',
    info: {
      title: 'Holdfast',
      version: String(PROTOCOL_VERSION),
      description: 'JSON-RPC 2.0, one document per line, over a Unix socket.',
    },
    methods: names.map(methodObject),
    components: { errors: errorObjects() },
    'x-notifications': [{ name: EVENT_METHOD, params: jsonSchema(eventNotification, 'output') }],
  };
}
