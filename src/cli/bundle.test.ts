import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Metafile } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Finding } from './doctor/finding.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const holder = fileURLToPath(new URL('./testing/database-holder.mjs', import.meta.url));

let directory: string;
let metafile: Metafile;
let program: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-bundle-'));
  // What stays outside the bundle is found as in an installation.
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
  const result = await build({
    absWorkingDir: root,
    entryPoints: ['src/cli/main.ts'],
    outdir: join(directory, 'dist/cli'),
    bundle: true,
    splitting: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    external: ['better-sqlite3', 'koffi'],
    metafile: true,
    logLevel: 'error',
    banner: {
      js: "import { createRequire as createRequireForBundle } from 'node:module'; const require = createRequireForBundle(import.meta.url);",
    },
  });
  metafile = result.metafile;
  program = join(directory, 'dist/cli/main.js');
});

afterAll(() => rm(directory, { recursive: true }));

/** Files of ours and of packages that are loaded before any command has been chosen. */
function eagerInputs(): string[] {
  const { outputs } = metafile;
  const seen = new Set<string>();
  const outside = new Set<string>();
  const visit = (output: string): void => {
    if (seen.has(output)) return;
    seen.add(output);
    for (const { path, kind, external } of outputs[output]?.imports ?? []) {
      if (kind === 'dynamic-import') continue;
      if (external === true) outside.add(path);
      else visit(path);
    }
  };
  visit(Object.keys(outputs).find((path) => outputs[path]!.entryPoint === 'src/cli/main.ts')!);
  return [...[...seen].flatMap((path) => Object.keys(outputs[path]!.inputs)), ...outside];
}

const REPORT_USAGE =
  'process.on("exit", () => { const { user, system } = process.cpuUsage();' +
  'process.stderr.write(String((user + system) / 1000)); })';

/** Processor time of a run of Node, which other processes disturb less than time on the clock. */
function processorMs(args: readonly string[]): number {
  const imported = `data:text/javascript,${encodeURIComponent(REPORT_USAGE)}`;
  const run = spawnSync(process.execPath, ['--import', imported, ...args], { encoding: 'utf8' });
  return Number(run.stderr);
}

describe('the bundled command line', () => {
  it('loads nothing heavy until a command needs it', () => {
    const inputs = eagerInputs();
    expect(inputs).toContain('src/cli/main.ts');
    const packages = inputs
      .map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1])
      .filter((name) => name !== undefined);
    expect([...new Set(packages)]).toEqual(['commander']);
    const outside = inputs.filter(
      (path) => !path.startsWith('node_modules/') && !path.startsWith('src/'),
    );
    expect(outside.filter((path) => !isBuiltin(path))).toEqual([]);
    const folders = inputs.map((path) => /^src\/([^/]+)\//.exec(path)?.[1]).filter(Boolean);
    expect([...new Set(folders)].sort()).toEqual(['cli', 'config', 'kernel', 'protocol', 'rpc']);
  });

  it('holds no logger, watcher or server library at all', () => {
    const everything = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.keys(inputs));
    for (const name of ['pino', 'chokidar', 'json-rpc-2.0', 'systeminformation']) {
      expect(everything.filter((path) => path.startsWith(`node_modules/${name}/`))).toEqual([]);
    }
  });

  it('costs less than 100 ms of processor time more than Node itself', () => {
    const fastest = (...args: string[]): number =>
      Math.min(...Array.from({ length: 7 }, () => processorMs(args)));
    const script = join(directory, 'empty.mjs');
    writeFileSync(script, '');
    expect(fastest(program, 'version') - fastest(script)).toBeLessThan(100);
  });

  it('ends quietly when its reader has seen enough', () => {
    const line = `"${process.execPath}" "${program}" --help | true; exit "\${PIPESTATUS[0]}"`;
    const { status, stderr } = spawnSync('bash', ['-c', line], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

describe('holdfast doctor', () => {
  async function doctor(...argv: string[]): Promise<{ status: number | null; items: Finding[] }> {
    const { HOME: _home, HOLDFAST_CONFIG: _config, ...inherited } = process.env;
    const child = spawn(process.execPath, [program, 'doctor', '--json', ...argv], {
      env: { ...inherited, HOME: directory, HOLDFAST_SOCKET: join(directory, 'none.sock') },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let stdout = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    const [status] = await once(child, 'close');
    return { status, items: (JSON.parse(stdout) as { items: Finding[] }).items };
  }

  it('works with the daemon down, finds the databases and who uses which SQLite', async () => {
    const data = join(directory, 'data');
    await mkdir(data);
    const application = spawn(process.execPath, [holder, join(data, 'app.db')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(application.stdout, 'data');
    try {
      const { status, items } = await doctor('--data', data, '--state', join(directory, 'state'));
      const found = (check: string) => items.filter((item) => item.check === check);
      expect(found('native-module')).toMatchObject([{ severity: 'ok' }]);
      expect(found('daemon')).toMatchObject([{ severity: 'warning' }]);
      expect(found('databases')).toMatchObject([{ message: '1 database found' }]);
      const [library] = found('sqlite-library');
      expect(library?.message).toMatch(new RegExp(`process ${application.pid} .*SQLite 3\\.`));
      expect(items.some(({ severity }) => severity === 'error')).toBe(false);
      expect(status).toBe(3);
    } finally {
      application.stdin.end();
      await once(application, 'exit');
    }
  });

  it('still reports on the rest when the configuration is invalid', async () => {
    const { status, items } = await doctor('--config', join(directory, 'missing.yaml'));
    expect(status).toBe(1);
    const severities = new Map(items.map(({ check, severity }) => [check, severity]));
    expect(severities.get('settings')).toBe('error');
    expect(severities.get('native-module')).toBe('ok');
  });
});
