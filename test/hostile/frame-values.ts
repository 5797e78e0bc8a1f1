/** Values that a schema asks for, and values that nobody asks for. */

export type Random = () => number;

/** Written in place of a JSON string, so that a frame may hold what `JSON.stringify` never writes. */
const RAW = /"@@raw:([^"@]*)@@"/g;
const raw = (text: string): string => `@@raw:${text}@@`;

/** The text of a frame, with the raw pieces put in. */
export function frameText(value: unknown): string {
  return JSON.stringify(value).replaceAll(RAW, (_, text: string) => text);
}

export function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[Math.floor(random() * items.length)]!;
}

export const below = (random: Random, bound: number): number => Math.floor(random() * bound);

const NUMBERS = [
  ...['-0', '0', '-1', '1e308', '1e999', '-1e999', 'NaN', 'Infinity', '0x10', '01', '1.0', '.5'],
  ...[
    '9007199254740993',
    '1e-400',
    '4294967296',
    '-2147483649',
    '99999999999999999999999999',
    '+1',
  ],
].map(raw);

const TEXTS = [
  ...['', ' ', '.', '..', '../../etc/passwd', '/', '//', '/proc/self/fd/0', '/dev/zero', '~root'],
  ...['\0', 'a\0b', 'a\nb', '\r\n', '\u001b[2J', '\u202egpj.exe', '-rf', '--help', '$(id)', '`id`'],
  ...['latest', 'ffff', '%s%n', "' OR 1=1 --", '__proto__', 'constructor', 'toString', 'prototype'],
  ...['é', 'e\u0301', 'ſ', 'İ', '\ufeff', '\ufffd', '😀', '(a+)+$', '*'.repeat(300), '[', '{1..9}'],
  raw('"\\ud800"'),
  raw('"\\udfff\\ud800"'),
  raw('"\\u0000"'),
  raw('"\\x"'),
  raw("'x'"),
];

const OTHERS = [null, true, false, [], {}, [[]], [null], raw('undefined'), raw('[,]'), raw('{,}')];

/** Keys that reach for the prototype of what is made of them. */
const KEYS = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '', 'length'];

export function hostileKey(random: Random): string {
  return random() < 0.7 ? pick(random, KEYS) : `k${below(random, 1e6)}`;
}

/** Own properties all of them, `__proto__` too. */
export function withKey(object: object, key: string, value: unknown): object {
  const changed = Object.fromEntries(Object.entries(object));
  Object.defineProperty(changed, key, { value, enumerable: true, configurable: true });
  return changed;
}

export function nested(random: Random, levels: number): unknown {
  let value: unknown = hostileValue(random, 0);
  for (let level = 0; level < levels; level += 1) {
    value = random() < 0.5 ? [value] : withKey({}, random() < 0.2 ? '__proto__' : 'a', value);
  }
  return value;
}

export function hostileValue(random: Random, depth = 2): unknown {
  const kind = random();
  if (kind < 0.3) return pick(random, TEXTS);
  if (kind < 0.5) return pick(random, NUMBERS);
  if (kind < 0.6) return below(random, 2 ** 31) * (random() < 0.5 ? 1 : -0.5);
  if (kind < 0.7) return pick(random, OTHERS);
  if (kind < 0.74) return 'x'.repeat(below(random, 5_000));
  if (depth === 0) return 'deep';
  if (kind < 0.78) return nested(random, below(random, 200));
  if (kind < 0.9) {
    return withKey({}, hostileKey(random), hostileValue(random, depth - 1));
  }
  return Array.from({ length: below(random, 5) }, () => hostileValue(random, depth - 1));
}

interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** What is there to be asked for, by the name of the parameter. */
export type Known = Readonly<Record<string, readonly unknown[]>>;

/** Params as a JSON Schema wants them, mostly. */
export function wantedValue(random: Random, schema: Schema, known: Known, name = ''): unknown {
  const candidates = known[name];
  if (candidates !== undefined && random() < 0.8) return pick(random, candidates);
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return pick(random, schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return wantedValue(random, pick(random, choices), known, name);
  switch (schema.type) {
    case 'object':
      return wantedObject(random, schema, known);
    case 'array': {
      const length = (schema.minItems ?? 0) + below(random, 3);
      return Array.from({ length }, () => wantedValue(random, schema.items ?? {}, known, name));
    }
    case 'integer':
    case 'number':
      return Math.max(schema.minimum ?? 0, Math.min(schema.maximum ?? 100, below(random, 200)));
    case 'boolean':
      return random() < 0.5;
    case 'null':
      return null;
    case 'string':
      return pick(random, ['app', 'latest', 'data/app.db', '/nowhere/at/all', 'x', '2026-01-01']);
    default:
      return hostileValue(random);
  }
}

function wantedObject(random: Random, schema: Schema, known: Known): object {
  const entries = Object.entries(schema.properties ?? {}).filter(
    ([key]) => schema.required?.includes(key) === true || random() < 0.4,
  );
  return Object.fromEntries(
    entries.map(([key, value]) => [key, wantedValue(random, value, known, key)]),
  );
}
