/** A daemon of its own for a benchmark: its directories, its commands, its end. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const project = fileURLToPath(new URL('..', import.meta.url));
const bin = join(project, 'bin/holdfast');

/** Runs a command to its end; returns its wall time in milliseconds and its output. */
export function run(program, args, env = {}) {
  const start = performance.now();
  const stdout = execFileSync(program, args, {
    env: { ...process.env, ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 256 * 1024 * 1024,
  });
  return { ms: performance.now() - start, stdout };
}

export function median(numbers) {
  const sorted = [...numbers].sort((left, right) => left - right);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** Directories and a configuration below `home`; `sources` are [name, directory] or whole source settings. */
export function configure(home, sources, settings = {}) {
  mkdirSync(home, { recursive: true });
  const config = join(home, 'holdfast.json');
  const socketPath = join(home, 'socket');
  writeFileSync(
    config,
    JSON.stringify({
      stateDirectory: join(home, 'state'),
      repositoryDirectory: join(home, 'repository'),
      socketPath,
      sources: sources.map((source) =>
        Array.isArray(source)
          ? {
              name: source[0],
              roots: [{ class: 'data', path: source[1] }],
              watch: { enabled: false },
              schedules: [],
            }
          : source,
      ),
      ...settings,
    }),
  );
  return { config, socketPath, repository: join(home, 'repository') };
}

/** Starts a daemon and waits until it is ready. `readyMs`: from its start, as one who waits for it sees it. */
export async function startDaemon({ config, socketPath, repository }) {
  const env = { HOLDFAST_CONFIG: config };
  const start = performance.now();
  const child = spawn(process.execPath, [bin, 'daemon'], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // A benchmark that fails leaves no daemon behind.
  const endWithThis = () => child.kill('SIGKILL');
  process.once('exit', endWithThis);
  const lines = createInterface({ input: child.stdout });
  await new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`The daemon ended with ${code}`)));
    lines.on('line', (line) => JSON.parse(line).msg === 'ready' && resolve());
  });
  const readyMs = performance.now() - start;
  return {
    child,
    readyMs,
    socketPath,
    repository,
    command: (...args) => run(process.execPath, [bin, ...args], env),
    end: async () => {
      process.removeListener('exit', endWithThis);
      child.removeAllListeners('exit');
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}
