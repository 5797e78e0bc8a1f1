import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { projectRoot } from '../../../support/sandbox.ts';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

const REQUIRE =
  "const require = (id) => process.getBuiltinModule(id) ?? process.getBuiltinModule('node:module').createRequire(import.meta.url)(id);";

/** Bundles daemon and worker with the simulated clock into `directory`, beside each other as in dist/. */
export async function buildPrograms(directory: string): Promise<{ daemon: string }> {
  mkdirSync(directory, { recursive: true });
  symlinkSync(join(projectRoot, 'node_modules'), join(directory, 'node_modules'));
  for (const name of ['daemon', 'worker']) {
    await build({
      entryPoints: [here(`${name}.ts`)],
      outfile: join(directory, `${name}.js`),
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'esm',
      logLevel: 'error',
      define: { 'process.env.HOLDFAST_VERSION': '"soak"' },
      external: ['better-sqlite3', 'koffi', 'pino'],
      alias: { systeminformation: here('host-figures.ts') },
      banner: { js: REQUIRE },
    });
  }
  copyFileSync(join(projectRoot, 'dist/byte-thread.js'), join(directory, 'byte-thread.js'));
  return { daemon: join(directory, 'daemon.js') };
}
