/**
 * Bundles the three programs into `dist/`:
 *   cli/main.js  the thin client: everything it needs inside, and what a command does not need is never evaluated
 *   daemon.js    the daemon;  worker.js  one job each;  byte-thread.js, check-thread.js  the threads of a worker.
 *                Native packages, and those that read files of their own, stay in node_modules.
 * Each of these is a short start beside its bodies and what V8 compiled of them: `packaging/`.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { packProgram } from './packaging/pack-program.mjs';
import { warmUp } from './packaging/warm-up.mjs';

const quiet = process.argv.includes('--quiet');
const { version } = JSON.parse(await readFile(new URL('package.json', import.meta.url), 'utf8'));

/** Finding and reading packages file by file would take longer than all the rest of a worker's start. */
const SERVER_PACKAGES = ['better-sqlite3', 'koffi', 'pino', 'systeminformation'];

/** What the client needs to talk to a daemon; what works without one is read when it is needed. */
const THIN =
  /^(none:|src\/(cli|kernel|protocol|rpc)\/|src\/config\/(default-paths|find-socket)|.*node_modules\/commander\/)/;

const programs = [
  { path: 'daemon.js', entry: 'src/daemon/main.ts', external: SERVER_PACKAGES },
  { path: 'worker.js', entry: 'src/worker/main.ts', external: SERVER_PACKAGES },
  { path: 'byte-thread.js', entry: 'src/store/threads/byte-thread.ts', external: SERVER_PACKAGES },
  { path: 'check-thread.js', entry: 'src/sqlite/check-thread.ts', external: SERVER_PACKAGES },
  {
    path: 'cli/main.js',
    entry: 'src/cli/main.ts',
    external: ['better-sqlite3', 'koffi'],
    isRare: (inputs) => inputs.some((input) => !THIN.test(input)),
  },
];

// Built beside and renamed, so that a running daemon never forks a half-written worker.
const staging = resolve(`dist.${process.pid}.tmp`);
await mkdir(staging, { recursive: true });
await writeFile(`${staging}/package.json`, '{ "type": "commonjs" }\n');
for (const { path, ...program } of programs) {
  const metafile = await packProgram(
    {
      ...program,
      define: { 'process.env.HOLDFAST_VERSION': JSON.stringify(version) },
      logLevel: quiet ? 'error' : 'info',
    },
    `${staging}/${path}`,
  );
  const name = path === 'cli/main.js' ? 'cli' : path.slice(0, -'.js'.length);
  await writeFile(`${staging}/${name}.meta.json`, JSON.stringify(metafile));
}
try {
  await warmUp(staging);
} catch (error) {
  // Slower starts are no reason to be without a build.
  process.stderr.write(`not compiled ahead: ${error.message}\n`);
}
const previous = `dist.${process.pid}.old`;
if (existsSync('dist')) await rename('dist', previous);
await rename(staging, 'dist');
await rm(previous, { recursive: true, force: true });
