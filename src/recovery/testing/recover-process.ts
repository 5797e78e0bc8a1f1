import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { KILL_AT_STEP_VARIABLE } from '../../files/durable-steps.ts';
import type { Workbench } from './workbench.ts';

const PACKAGES = fileURLToPath(new URL('../../../node_modules', import.meta.url));

/** Bundles recover-once.ts, as the real programs are bundled; returns the script. */
export async function bundleRecoverOnce(directory: string): Promise<string> {
  const outfile = join(directory, 'recover-once.cjs');
  await build({
    entryPoints: [fileURLToPath(new URL('recover-once.ts', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    packages: 'external',
    logLevel: 'error',
  });
  return outfile;
}

export interface RecoverExit {
  readonly signal: string | null;
  /** Durable steps of a run that came to its end. */
  readonly steps: number;
}

/** One boot: unfinished swaps, then recovery. @param killAt `before:<n>` or `after:<n>`, or to the end */
export function recoverInProcess(script: string, bench: Workbench, killAt?: string): RecoverExit {
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [script, JSON.stringify(bench.source), bench.state, bench.repository],
    {
      encoding: 'utf8',
      env: {
        PATH: process.env['PATH'],
        NODE_PATH: PACKAGES,
        ...(killAt === undefined ? {} : { [KILL_AT_STEP_VARIABLE]: killAt }),
      },
    },
  );
  if (signal === null && status !== 0) throw new Error(stderr);
  return { signal, steps: Number(stdout) };
}
