/**
 * Runs the programs of a fresh build once, on a small database of their own, so that what V8 compiles of them is kept.
 * What they need at every start is then in it, and functions that are rarely called are not.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';

const recorder = fileURLToPath(new URL('record-compiled.cjs', import.meta.url));
const COMMAND_MS_MAX = 60_000;

function prepare(home) {
  const data = join(home, 'data');
  mkdirSync(data);
  const database = new Database(join(data, 'app.db'));
  database.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT)');
  database.prepare('INSERT INTO rows (text) VALUES (?)').run('one');
  database.close();
  const config = join(home, 'holdfast.json');
  writeFileSync(
    config,
    JSON.stringify({
      stateDirectory: join(home, 'state'),
      repositoryDirectory: join(home, 'repository'),
      socketPath: join(home, 'socket'),
      sources: [{ name: 'app', roots: [{ class: 'data', path: data }] }],
    }),
  );
  return config;
}

function environment(home, programs) {
  const { HOLDFAST_CONFIG: _config, NODE_OPTIONS: _options, ...inherited } = process.env;
  return {
    ...inherited,
    NODE_OPTIONS: `--require ${JSON.stringify(recorder)}`,
    HOLDFAST_RECORD: programs.map((path) => path.replace(/\.js$/, '')).join(','),
    HOLDFAST_SOCKET: join(home, 'socket'),
  };
}

const servers = (program) =>
  ['../daemon.js', '../worker.js'].map((path) => resolve(dirname(program), path));

function run(program, home, ...args) {
  execFileSync(process.execPath, [program, ...args], {
    env: environment(home, [program]),
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: COMMAND_MS_MAX,
  });
}

async function startDaemon(program, home, config) {
  const child = spawn(process.execPath, [program, 'daemon'], {
    env: { ...environment(home, servers(program)), HOLDFAST_CONFIG: config },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const lines = createInterface({ input: child.stdout });
  const exited = once(child, 'exit');
  const ready = new Promise((resolve) => {
    lines.on('line', (line) => JSON.parse(line).msg === 'ready' && resolve(true));
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), 2 * COMMAND_MS_MAX);
  const started = await Promise.race([ready, exited.then(() => false)]);
  if (!started) throw new Error('the daemon did not start');
  return async () => {
    child.kill('SIGTERM');
    await exited;
    clearTimeout(timer);
  };
}

/** @param directory where the build is; its programs get a `.cache` beside them */
export async function warmUp(directory) {
  const home = mkdtempSync(join(tmpdir(), 'holdfast-build-'));
  const program = join(directory, 'cli/main.js');
  try {
    const config = prepare(home);
    const end = await startDaemon(program, home, config);
    try {
      run(program, home, 'backup', 'app', '--json');
      run(program, home, 'backup', 'app', '--if-changed');
      run(program, home, 'verify', '--latest', '--json');
      run(program, home, 'status');
    } finally {
      await end();
    }
    // As every start but the first: with a repository, and with nothing to repair.
    await (await startDaemon(program, home, config))();
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
