import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MutationRun } from './testing/mutation/try-families.ts';

/** `npm run test:fuzz` tries 10,000. */
const MUTATIONS = Number(process.env['HOLDFAST_TEST_MUTATIONS'] ?? 40);
/** Where their numbers start: any other tries others. */
const FIRST = Number(process.env['HOLDFAST_TEST_FIRST_MUTATION'] ?? 0);

const HEAP_MEBIBYTES = 64;
const RESIDENT_MEBIBYTES_MAX = 256;
const EACH_MS_MAX = 10_000;
const PATIENCE_MS = 60_000 + MUTATIONS * 1_000;

const fileOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

let directory: string;
let run: MutationRun;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-any-bytes-'));
  const outfile = join(directory, 'try-families.cjs');
  await build({
    entryPoints: [fileOf('testing/mutation/try-families.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    packages: 'external',
    logLevel: 'error',
  });
  const { stdout, stderr, status, signal } = spawnSync(
    process.execPath,
    [`--max-old-space-size=${HEAP_MEBIBYTES}`, outfile, String(FIRST), String(MUTATIONS)],
    {
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
      timeout: PATIENCE_MS,
      killSignal: 'SIGKILL',
      env: { PATH: process.env['PATH'], NODE_PATH: fileOf('../../node_modules') },
    },
  );
  if (status !== 0) throw new Error(`ended by ${signal ?? status}: ${stderr.slice(-4_000)}`);
  run = JSON.parse(stdout);
  if (MUTATIONS > 1_000) console.log(stdout);
}, PATIENCE_MS + 30_000);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe(`${MUTATIONS} databases with their logs and journals, changed at random`, () => {
  it('are each checked, walked and salvaged without an error that is not ours or SQLite’s, and none that SQLite faults is called ok', () => {
    expect(run.failures).toEqual([]);
    expect(run.tried).toBe(MUTATIONS);
    expect(run.salvaged).toBeGreaterThan(MUTATIONS / 2);
  });

  it('take a bounded time and a bounded memory', () => {
    expect(run.longestMs).toBeLessThan(EACH_MS_MAX);
    expect(run.residentMebibytes).toBeLessThan(RESIDENT_MEBIBYTES_MAX);
  });
});
