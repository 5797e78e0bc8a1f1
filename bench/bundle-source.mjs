import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const project = fileURLToPath(new URL('..', import.meta.url));

/**
 * Bundles TypeScript that a bench needs of the source, beside `node_modules`, so that it runs as the programs do.
 * `contents` imports relative to `directory`, below `src/`. Returns the path of the bundle, the caller's to remove.
 */
export async function bundleSource(name, directory, contents) {
  const outfile = join(project, `dist.${name}-${process.pid}.mjs`);
  await build({
    stdin: { contents, resolveDir: join(project, 'src', directory) },
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
  });
  return outfile;
}
