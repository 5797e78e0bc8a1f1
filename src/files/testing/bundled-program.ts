import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export interface BundledProgram {
  readonly path: string;
  remove(): Promise<void>;
}

/** Bundles a TypeScript program, so that a plain Node process runs the same code as the test. */
export async function bundleProgram(entry: URL): Promise<BundledProgram> {
  const directory = await mkdtemp(join(tmpdir(), 'program-'));
  const modules = fileURLToPath(new URL('../../../node_modules', import.meta.url));
  await symlink(modules, join(directory, 'node_modules'));
  const path = join(directory, 'program.mjs');
  await build({
    entryPoints: [fileURLToPath(entry)],
    outfile: path,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
  });
  return { path, remove: () => rm(directory, { recursive: true, force: true }) };
}
