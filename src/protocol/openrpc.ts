import { z } from 'zod';
import { EVENT_METHOD, eventNotification } from './event.ts';
import { methods, needsHello } from './methods.ts';
import { PROTOCOL_VERSION } from './protocol-version.ts';

interface ObjectSchema {
  readonly properties?: Record<string, unknown>;
  readonly required?: readonly string[];
}

/** JSON Schema of what is sent: for params what a client may write, for results what it reads. */
function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Record<string, unknown> {
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
    'x-needsHello': needsHello(name),
  };
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
    'x-notifications': [{ name: EVENT_METHOD, params: jsonSchema(eventNotification, 'output') }],
  };
}
