import type { z } from 'zod';
import { alert } from './alert.ts';
import { job, jobLogLine, jobProgress } from './job.ts';
import { jsonSchema, openRpcDocument } from './openrpc.ts';
import { errorDocument } from './scalars.ts';
import { scheduleSetState, scheduleState } from './schedule.ts';
import { sourceState } from './source.ts';

/** docs/rpc.md, from the contract. */

/** Shapes that several methods share, described once. */
const SHAPES: readonly (readonly [name: string, schema: z.ZodType])[] = [
  ['Alert', alert],
  ['ErrorDocument', errorDocument],
  ['Job', job],
  ['LogLine', jobLogLine],
  ['Progress', jobProgress],
  ['Schedule', scheduleState],
  ['ScheduleSet', scheduleSetState],
  ['Source', sourceState],
];

/** The parts of a JSON Schema that the page shows. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema | readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly format?: string;
  readonly default?: unknown;
}

interface Method {
  readonly name: string;
  readonly summary: string;
  readonly params: readonly {
    readonly name: string;
    readonly required: boolean;
    readonly schema: Schema;
  }[];
  readonly result: { readonly schema: Schema };
}

const INTRODUCTION = `# The RPC of the daemon

<!-- Generated from src/protocol: run \`npx vitest run --project unit src/protocol -u\` after a change there. -->

The daemon listens on a Unix socket and speaks JSON-RPC 2.0: one JSON document per line, in UTF-8, each way. Any language can do it; [examples/status.py](../examples/status.py) does with nothing but Python's standard library.

1. Connect to the socket (\`HOLDFAST_SOCKET\`, or where [configuration.md](configuration.md) says).
2. Say \`{"jsonrpc":"2.0","id":1,"method":"daemon.hello","params":{"protocol":1,"client":{"name":"mine","version":"1"}}}\` and a line break. Only probes are answered before it.
3. Call methods. Params are by name; unknown fields are refused. Fields with \`?\` may be left out.

- **Jobs**: whatever takes time answers at once with \`{"job": …, "coalesced": …}\`: by then the job is durable. \`job.wait\` answers when it has ended; its \`exitCode\` is 0 ok, 1 failed, 3 done with warnings, 130 cancelled. The same \`idempotencyKey\` is the same job, however often it is sent.
- **Events**: after \`event.subscribe\` the daemon sends \`event\` notifications on the same connection, in order: of each job first that it runs, then progress and log lines, at last its end. A \`gap\` says that some were lost to a slow reader: read the state again, and logs by their \`seq\`. A \`daemon.heartbeat\` comes every 30 s.
- **Shapes** that several methods share are named, and described [below](#shapes).
- **Lists** are \`{"items": […], "nextCursor": …}\`; pass \`nextCursor\` as \`cursor\` with the same other params for the next page; null is the end.
- **Times** are ISO 8601 in UTC, durations milliseconds, sizes bytes.
- **Bounds**: 1 MiB per request, 64 levels of objects and arrays in its params, 256 characters in its id, 32 requests in a batch, 64 in flight, 64 clients. What is beyond gets LIMIT_EXCEEDED or Invalid Request; a line that is too long, and a client too many, also the end of the connection.
- **Patience**: 30 s from the connection to the end of the first line, and from the first byte of a line to its newline; then \`TIMEOUT\` without an id, and the end. A client that does not read has no further request begun (256 KiB of answers wait); it is dropped without a word when 4 MiB wait, or when none of what waits was read for two minutes.
- **Errors** carry \`data: {"code", "retryable", "hint", "details"?}\`. Go by \`data.code\`, which never changes its meaning; \`retryable\` says whether the same request may succeed later by itself.

\`rpc.discover\` answers with all of this as an OpenRPC document with JSON Schemas, for generators of clients.
`;

/** The Markdown text of the page. */
export function rpcDocument(): string {
  const document = openRpcDocument() as unknown as {
    methods: readonly Method[];
    components: { errors: Readonly<Record<string, { code: number }>> };
    'x-notifications': readonly { params: Schema }[];
  };
  const errors = Object.entries(document.components.errors);
  return [
    INTRODUCTION,
    '## Methods\n',
    ...document.methods.map(methodSection),
    '## Shapes\n',
    ...SHAPES.map(shapeSection),
    '## Events\n',
    'The params of an `event` notification, by `type`:\n',
    ...eventSections(document['x-notifications'][0]!.params),
    '## Errors\n',
    '| `data.code` | `code` |\n| --- | --- |',
    `${errors.map(([name, { code }]) => `| \`${name}\` | ${code} |`).join('\n')}\n`,
  ].join('\n');
}

function methodSection({ name, summary, params, result }: Method): string {
  const fields = params.map(
    (param) => `  ${param.name}${param.required ? '' : '?'}: ${typeOf(param.schema, '  ')}`,
  );
  const text = fields.length === 0 ? '{}' : `{\n${fields.join(',\n')}\n}`;
  return `### \`${name}\`\n\n${summary}\n\n\`\`\`ts\nparams: ${text}\nresult: ${typeOf(result.schema, '')}\n\`\`\`\n`;
}

function shapeSection([name, schema]: (typeof SHAPES)[number]): string {
  const text = objectType(jsonSchema(schema, 'output') as Schema, '');
  return `### ${name}\n\n\`\`\`ts\n${text}\n\`\`\`\n`;
}

function eventSections({ oneOf, anyOf }: Schema): string[] {
  return (oneOf ?? anyOf ?? []).map((schema) => {
    const type = String(schema.properties?.['type']?.const);
    return `### \`${type}\`\n\n\`\`\`ts\n${typeOf(schema, '')}\n\`\`\`\n`;
  });
}

const shapeNames: ReadonlyMap<string, string> = new Map(
  SHAPES.map(([name, schema]) => [JSON.stringify(jsonSchema(schema, 'output')), name]),
);

/** A schema in the manner of TypeScript, which most readers of the page can read. */
function typeOf(schema: Schema, indent: string): string {
  const shape = shapeNames.get(JSON.stringify(schema));
  if (shape !== undefined) return shape;
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((each) => JSON.stringify(each)).join(' | ');
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) {
    return [...new Set(choices.map((each) => typeOf(each, indent)))].join(' | ');
  }
  if (Array.isArray(schema.type)) {
    return schema.type.map((type: string) => typeOf({ ...schema, type }, indent)).join(' | ');
  }
  if (schema.type === 'array') return arrayType(schema, indent);
  if (schema.type === 'object') return objectType(schema, indent);
  if (schema.format === 'date-time') return 'Time';
  return schema.type === undefined ? 'unknown' : String(schema.type);
}

function arrayType({ items }: Schema, indent: string): string {
  if (Array.isArray(items)) {
    return `[${items.map((each: Schema) => typeOf(each, indent)).join(', ')}]`;
  }
  const item = typeOf((items as Schema | undefined) ?? {}, indent);
  return item.includes(' | ') && !item.startsWith('{') ? `(${item})[]` : `${item}[]`;
}

function objectType(schema: Schema, indent: string): string {
  const { properties = {}, required = [], additionalProperties } = schema;
  const names = Object.keys(properties);
  if (names.length === 0) {
    const open = typeof additionalProperties === 'object';
    return open ? `{ [name: string]: ${typeOf(additionalProperties, indent)} }` : '{}';
  }
  const inner = `${indent}  `;
  const fields = names.map(
    (name) =>
      `${inner}${name}${required.includes(name) ? '' : '?'}: ${typeOf(properties[name]!, inner)}`,
  );
  return `{\n${fields.join(',\n')}\n${indent}}`;
}
