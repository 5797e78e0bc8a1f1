/**
 * Bundles the three programs into `dist/`:
 *   cli/main.js  the thin client: everything it needs inside, nothing of the daemon (splitting keeps rare paths lazy)
 *   daemon.js    the daemon;  worker.js  one job each;  byte-thread.js  the threads of a worker.
 *                Native packages, and those that read files of their own, stay in node_modules.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';

const quiet = process.argv.includes('--quiet');
const version = JSON.parse(
  await readFile(new URL('package.json', import.meta.url), 'utf8'),
).version;

const shared = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  sourcemap: true,
  logLevel: quiet ? 'error' : 'info',
  define: { 'process.env.HOLDFAST_VERSION': JSON.stringify(version) },
  metafile: true,
};

// For CommonJS packages inside: nearly all they require is built in, and making a real `require` takes a while.
const REQUIRE = {
  js: "const require = (id) => process.getBuiltinModule(id) ?? process.getBuiltinModule('node:module').createRequire(import.meta.url)(id);",
};

/** Messages in forty languages are a fifth of a bundle, and are compiled at every start. */
const englishOnly = {
  name: 'english-only',
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]zod[/\\]v4[/\\]locales[/\\]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
    }));
  },
};

/** Finding and reading packages file by file would take longer than all the rest of a worker's start. */
const SERVER_PACKAGES = {
  external: ['better-sqlite3', 'koffi', 'pino', 'systeminformation'],
  banner: REQUIRE,
  plugins: [englishOnly],
};

// Built beside and renamed, so that a running daemon never forks a half-written worker.
const staging = `dist.${process.pid}.tmp`;
await mkdir(staging, { recursive: true });
const programs = [
  {
    name: 'daemon',
    entry: 'src/daemon/main.ts',
    options: { outfile: `${staging}/daemon.js`, ...SERVER_PACKAGES },
  },
  {
    name: 'worker',
    entry: 'src/worker/main.ts',
    options: { outfile: `${staging}/worker.js`, ...SERVER_PACKAGES },
  },
  {
    name: 'byte-thread',
    entry: 'src/store/threads/byte-thread.ts',
    options: { outfile: `${staging}/byte-thread.js`, ...SERVER_PACKAGES },
  },
  {
    name: 'cli',
    entry: 'src/cli/main.ts',
    options: {
      outdir: `${staging}/cli`,
      splitting: true,
      // Native addons stay outside; only commands that work without a daemon reach them, lazily.
      external: ['better-sqlite3', 'koffi'],
      banner: REQUIRE,
    },
  },
];
for (const { name, entry, options } of programs) {
  if (!existsSync(entry)) continue;
  const result = await build({ ...shared, ...options, entryPoints: [entry] });
  await writeFile(`${staging}/${name}.meta.json`, JSON.stringify(result.metafile));
}
const previous = `dist.${process.pid}.old`;
if (existsSync('dist')) await rename('dist', previous);
await rename(staging, 'dist');
await rm(previous, { recursive: true, force: true });
