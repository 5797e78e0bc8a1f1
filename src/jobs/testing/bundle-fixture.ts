import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Where a bundle finds its packages: it is built elsewhere. */
export const FIXTURE_ENVIRONMENT = {
  PATH: process.env['PATH'],
  NODE_PATH: fileURLToPath(new URL('../../../node_modules', import.meta.url)),
};

/** Bundles a fixture that imports our TypeScript, as the real programs are bundled. Returns path and inputs. */
export async function bundleFixture(
  name: string,
  directory: string,
): Promise<{ path: string; inputs: string[] }> {
  const path = join(directory, name.replace(/\.mjs$/, '.cjs'));
  const { metafile } = await build({
    entryPoints: [fileURLToPath(new URL(name, import.meta.url))],
    outfile: path,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    packages: 'external',
    metafile: true,
    logLevel: 'error',
  });
  const [output] = Object.values(metafile.outputs);
  const external = output!.imports.map(({ path: name }) => name);
  return { path, inputs: [...Object.keys(metafile.inputs), ...external] };
}
