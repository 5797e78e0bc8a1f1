import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/** docs/architecture.md: a folder imports only folders of a lower rank; siblings never; no cycles. */
const RANKS: Record<string, number> = {
  kernel: 0,
  protocol: 0,
  config: 1,
  files: 1,
  sqlite: 1,
  rpc: 1,
  host: 1,
  store: 2,
  state: 2,
  jobs: 3,
  capture: 3,
  restore: 3,
  recovery: 3,
  retention: 3,
  artifacts: 3,
  migrations: 3,
  replication: 3,
  triggers: 4,
  hooks: 4,
  health: 4,
  operations: 5,
  api: 5,
  daemon: 6,
  worker: 6,
  cli: 6,
};

const KERNEL_FILES = [
  'activity.ts',
  'clock.ts',
  'errors.ts',
  'ids.ts',
  'limits.ts',
  'logger.ts',
  'service.ts',
];

const source = fileURLToPath(new URL('../src', import.meta.url));

function sourceFiles(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Relative imports of a file, type imports and dynamic ones included, as absolute paths. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  const pattern = /(?:from|import)\s*\(?\s*'(\.[^']+)'/g;
  return [...text.matchAll(pattern)].map((match) => resolve(file, '..', match[1]!));
}

const folderOf = (file: string): string => relative(source, file).split('/')[0]!;

const files = sourceFiles(source);
const production = files.filter(
  (file) => !file.endsWith('.test.ts') && !file.includes('/testing/'),
);

describe('layers', () => {
  it('every folder of src/ has a rank', () => {
    const unknown = [...new Set(files.map(folderOf))].filter((folder) => !(folder in RANKS));
    expect(unknown).toEqual([]);
  });

  it('a folder imports only folders of a lower rank', () => {
    const breaches: string[] = [];
    for (const file of production) {
      const from = folderOf(file);
      for (const target of importsOf(file)) {
        const to = folderOf(target);
        if (to === from || RANKS[to]! < RANKS[from]!) continue;
        const allowed = Object.keys(RANKS).filter((name) => RANKS[name]! < RANKS[from]!);
        breaches.push(
          `${relative(source, file)} imports ${relative(source, target)}; ${from}/ may import ${allowed.join(', ')}`,
        );
      }
    }
    expect(breaches).toEqual([]);
  });

  it('no file is part of an import cycle', () => {
    const graph = new Map(production.map((file) => [file, importsOf(file)]));
    const state = new Map<string, 'open' | 'done'>();
    const cycles: string[] = [];
    const visit = (file: string, path: string[]): void => {
      if (state.get(file) === 'done') return;
      if (state.get(file) === 'open') {
        const cycle = path.slice(path.indexOf(file));
        cycles.push([...cycle, file].map((each) => relative(source, each)).join(' -> '));
        return;
      }
      state.set(file, 'open');
      for (const target of graph.get(file) ?? []) visit(target, [...path, file]);
      state.set(file, 'done');
    };
    for (const file of production) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it('kernel/ is a closed list that imports nothing of ours', () => {
    const kernel = production.filter((file) => folderOf(file) === 'kernel');
    expect(kernel.map((file) => relative(join(source, 'kernel'), file)).sort()).toEqual(
      KERNEL_FILES,
    );
    const outside = kernel.flatMap(importsOf).filter((target) => folderOf(target) !== 'kernel');
    expect(outside).toEqual([]);
  });

  it('nothing is called utils, helpers, common or types', () => {
    const vague = files.filter((file) =>
      relative(source, file)
        .split('/')
        .some((part) => /^(utils?|helpers?|common|types)(\.ts)?$/.test(part)),
    );
    expect(vague).toEqual([]);
  });

  it('the time is read in kernel/clock.ts alone', () => {
    const readers = production.filter(
      (file) =>
        !file.endsWith('kernel/clock.ts') &&
        /Date\.now\(|new Date\(\)|performance\.now\(|[^.\w]setTimeout\(|setInterval\(/.test(
          readFileSync(file, 'utf8'),
        ),
    );
    expect(readers.map((file) => relative(source, file))).toEqual([]);
  });
});
