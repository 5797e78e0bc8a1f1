import { expect, it } from 'vitest';
import type { MethodName } from './method-map.ts';
import { methods } from './methods.ts';
import { jsonSchema } from './openrpc.ts';

/** Every parameter that is a path or names something of the file system, with the rule that it is held against. */
const RULES: Readonly<Record<string, readonly string[]>> = {
  host: [
    'artifact.export to',
    'artifact.fetch to',
    'artifact.import from',
    'artifact.verify from',
    'database.checkpoint database',
    'database.import from',
    'database.optimize database',
    'database.statistics database',
    'recovery.quarantineRestore directory',
    'recovery.run database',
    'repository.addKey path',
    'repository.convert keyPath',
    'repository.copy keyPath',
    'repository.copy to',
    'repository.rotateKey path',
    'restore.file to',
    'restore.plan target.path',
    'restore.run target.path',
    'snapshot.export to',
    'snapshot.export to.path',
    'snapshot.import from',
    'source.discover directory',
    'table.export to',
    'table.export to.path',
    'table.import from',
  ],
  logical: [
    'artifact.export database',
    'artifact.import database',
    'artifact.publish database',
    'artifact.verify database',
    'database.import database',
    'migration.down database',
    'migration.history database',
    'migration.pending database',
    'migration.status database',
    'migration.up database',
    'restore.file path',
    'restore.plan paths[]',
    'restore.run paths[]',
    'restore.stage paths[]',
    'snapshot.export database',
    'snapshot.export paths[]',
    'snapshot.import under',
    'table.export database',
    'table.import database',
    'tree.list path',
  ],
  reference: [
    'artifact.fetch ref',
    'artifact.import ref',
    'artifact.publish alias',
    'artifact.publish keyPrefix',
    'artifact.verify ref',
    'secret.clear name',
    'secret.set name',
  ],
  /** Looked up in a list, or given to SQLite as a value: never part of a path. */
  never: [
    'daemon.hello client.name',
    'plugin.remove name',
    'plugin.run name',
    'recovery.run from',
    'snapshot.export tables[]',
    'source.rename name',
    'table.export tables[]',
  ],
};

const LONG = `/${'x'.repeat(5000)}`;
const HOSTILE: Readonly<Record<string, readonly string[]>> = {
  host: ['', '.', '..', 'relative', '../../etc/passwd', '/a\0b', '~root/x', '-rf', LONG],
  logical: ['a\0b', '\0', LONG],
  reference: [
    '..',
    '../x',
    '/x',
    'a/../b',
    'a//b',
    '.hidden',
    'a\nb',
    'a\0b',
    '-rf',
    '$(id)',
    LONG,
  ],
  never: [],
};
const FINE: Readonly<Record<string, string>> = { host: '/fine', logical: 'data/fine' };

interface Schema {
  readonly type?: string;
  readonly enum?: unknown;
  readonly const?: unknown;
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
}

const NAMED_LIKE_A_PATH =
  /(path|paths|database|directory|file|folder|to|from|under|ref|prefix|alias|name|tables)(\[\])?$/i;
const TREATED_LIKE_A_PATH = /\\0|\^\\\//;

function pathsIn(schema: Schema, place: string): string[] {
  const { properties = {}, items, anyOf = [], oneOf = [] } = schema;
  const isText =
    schema.type === 'string' && schema.enum === undefined && schema.const === undefined;
  const isPath = NAMED_LIKE_A_PATH.test(place) || TREATED_LIKE_A_PATH.test(schema.pattern ?? '');
  return [
    ...(isText && isPath ? [place] : []),
    ...Object.entries(properties).flatMap(([name, inner]) =>
      pathsIn(inner, place === '' ? name : `${place}.${name}`),
    ),
    ...(items === undefined ? [] : pathsIn(items, `${place}[]`)),
    ...[...anyOf, ...oneOf].flatMap((each) => pathsIn(each, place)),
  ];
}

function paramsWith(place: string, value: string): Record<string, unknown> {
  if (place.endsWith('[]')) return { [place.slice(0, -2)]: [value] };
  const [outer = '', inner] = place.split('.');
  if (inner === undefined) return { [outer]: value };
  return { [outer]: { type: outer === 'target' ? 'directory' : 'socket', [inner]: value } };
}

/** What is said against this parameter; others may be missing. */
function isRefused(method: string, place: string, value: string): boolean {
  const params = paramsWith(place, value);
  const { error } = methods[method as MethodName].params.safeParse(params);
  return error?.issues.some(({ path }) => path[0] === Object.keys(params)[0]) === true;
}

it('Z-D12: every parameter that is a path is known here, with its rule', () => {
  const found = Object.entries(methods).flatMap(([method, { params }]) =>
    pathsIn(jsonSchema(params, 'input') as Schema, '').map((place) => `${method} ${place}`),
  );
  expect([...new Set(found)].sort()).toEqual(Object.values(RULES).flat().sort());
});

it('Z-D12: none of them takes what its rule forbids', () => {
  for (const [rule, places] of Object.entries(RULES)) {
    for (const [method = '', place = ''] of places.map((each) => each.split(' '))) {
      for (const value of HOSTILE[rule]!) {
        expect(isRefused(method, place, value), `${method} ${place} ${value.slice(0, 40)}`).toBe(
          true,
        );
      }
      const fine = FINE[rule];
      if (fine !== undefined)
        expect(isRefused(method, place, fine), `${method} ${place}`).toBe(false);
    }
  }
});
