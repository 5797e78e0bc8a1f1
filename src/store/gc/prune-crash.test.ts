import { spawn } from 'node:child_process';
import { cp, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KILL_AT_STEP_VARIABLE } from '../../files/durable-steps.ts';
import { systemClock } from '../../kernel/clock.ts';
import { listPacks } from '../catalog/load-packs.ts';
import { layoutOf, packPath } from '../layout.ts';
import {
  checkRepository,
  initRepository,
  openReader,
  type PruneReport,
  pruneRepository,
  verifySnapshot,
} from '../repository.ts';
import {
  activity,
  commitFile,
  noiseBytes,
  rowBytes,
  scratchFolder,
  writerOf,
} from '../testing/scratch-repository.ts';

/** HOLDFAST_TEST_EVERY_STEP: killed at every step; HOLDFAST_TEST_MOMENTS: at so many moments; HOLDFAST_TEST_SEED chooses. */
const everyStep = process.env['HOLDFAST_TEST_EVERY_STEP'] === '1';
const kills = Number(process.env['HOLDFAST_TEST_MOMENTS'] ?? 4);
const seed = Number(process.env['HOLDFAST_TEST_SEED'] ?? Math.floor(Math.random() * 1e6));
const STEPS_TRIED = 4;

let folder: Awaited<ReturnType<typeof scratchFolder>>;
let program: string;
let template: string;
let image: string;
let ids: string[];

beforeAll(async () => {
  folder = await scratchFolder();
  program = join(folder.path, 'scenario.cjs');
  template = join(folder.path, 'template');
  image = join(folder.path, 'image');
  await build({
    entryPoints: [fileURLToPath(new URL('../testing/commit-scenario.ts', import.meta.url))],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    packages: 'external',
    logLevel: 'error',
  });
  await initRepository(template, { clock: systemClock });
  ids = [];
  let parent: Parameters<typeof commitFile>[2] = null;
  for (let index = 0; index < 4; index += 1) {
    const bytes = Buffer.concat([rowBytes(200_000), noiseBytes(70_000, index + 1)]);
    bytes.write(`change ${index}`, 70_000);
    const writer = await writerOf(template);
    const { id, content } = await commitFile(writer, bytes, parent, index);
    await writer.close();
    parent = content;
    ids.push(id);
    await writeFile(image, Buffer.concat([bytes, noiseBytes(50_000, 77)]));
  }
  console.log(`HOLDFAST_TEST_SEED=${seed}`);
});
afterAll(() => folder.dispose());

interface Ended {
  readonly signal: string | null;
  readonly output: string;
}

/** A scenario in a process of its own, ended at a step or after a while. */
function run(
  scenario: string,
  path: string,
  end: { readonly atStep?: string; readonly afterMs?: number } = {},
): Promise<Ended> {
  const modules = fileURLToPath(new URL('../../../node_modules', import.meta.url));
  const child = spawn(process.execPath, [program, scenario, path, image], {
    env: {
      ...process.env,
      NODE_PATH: modules,
      ...(end.atStep === undefined ? {} : { [KILL_AT_STEP_VARIABLE]: end.atStep }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  const timer =
    end.afterMs === undefined ? null : setTimeout(() => child.kill('SIGKILL'), end.afterMs);
  return new Promise((resolve) =>
    child.once('close', (_code, signal) => {
      if (timer !== null) clearTimeout(timer);
      resolve({ signal, output });
    }),
  );
}

async function bytesOfPacks(path: string): Promise<number> {
  const layout = layoutOf(path);
  let bytes = 0;
  for (const name of await listPacks(layout)) bytes += (await stat(packPath(layout, name))).size;
  return bytes;
}

/** Every kept snapshot is there and whole, at once and after the prune that finishes the work. */
async function inspect(path: string, moment: string): Promise<void> {
  const verifyAll = async (): Promise<string[]> => {
    const reader = await openReader(path);
    const listed = reader.listSnapshots().map(({ id }) => id);
    for (const id of listed) {
      const verified = await verifySnapshot(reader, id, { deep: true }, activity);
      expect(verified.findings, moment).toEqual([]);
    }
    reader.close();
    return listed;
  };
  expect(await verifyAll(), moment).toEqual(expect.arrayContaining(ids.slice(1)));
  const options = { clock: systemClock, graceMs: 0, unusedShare: 0.1, lockWaitMs: 0 };
  // The first may find the removal undone yet; what is left over of interrupted work goes with the second.
  await pruneRepository(path, { ...options, dryRun: false }, activity);
  const before = await bytesOfPacks(path);
  const report: PruneReport = await pruneRepository(path, { ...options, dryRun: false }, activity);
  expect(report.bytesFreed, moment).toBe(before - (await bytesOfPacks(path)));
  expect(report, moment).toMatchObject({ packsAfter: 1, packsDropped: 0, packsRewritten: 0 });
  expect(await verifyAll(), moment).toEqual(expect.arrayContaining(ids.slice(1)));
  const { findings } = await checkRepository(path, { readData: 'all' }, activity);
  expect(findings, moment).toEqual([]);
}

describe('removal and prune, killed', () => {
  it('F40, F-D4: at a durable step leave every kept snapshot whole, and are finished later', {
    timeout: 900_000,
  }, async () => {
    const whole = join(folder.path, 'whole');
    await cp(template, whole, { recursive: true });
    const { output } = await run('remove', whole);
    const steps = Number(output);
    expect(steps, output).toBeGreaterThan(10);
    await inspect(whole, 'whole');
    const all = Array.from({ length: steps }, (_, index) => [
      `before:${index + 1}`,
      `after:${index + 1}`,
    ]).flat();
    const stride = everyStep ? 1 : Math.max(1, Math.floor(all.length / STEPS_TRIED));
    for (const moment of all.filter((_, index) => index % stride === seed % stride)) {
      const path = join(folder.path, moment.replace(':', '-'));
      await cp(template, path, { recursive: true });
      expect(await run('remove', path, { atStep: moment }), moment).toMatchObject({
        signal: 'SIGKILL',
      });
      await inspect(path, moment);
      await rm(path, { recursive: true });
    }
  });

  it('F40, F60: at any moment, beside a backup, leave every kept snapshot whole', {
    timeout: 900_000,
  }, async () => {
    const path = join(folder.path, 'timed');
    await cp(template, path, { recursive: true });
    const startMs = performance.now();
    await run('remove', path);
    const durationMs = performance.now() - startMs;
    let state = seed >>> 0;
    for (let kill = 0; kill < kills; kill += 1) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      const afterMs = (state / 2 ** 32) * durationMs;
      await rm(path, { recursive: true });
      await cp(template, path, { recursive: true });
      const [, backup] = await Promise.all([run('remove', path, { afterMs }), run('commit', path)]);
      expect(Number(backup.output), `${afterMs} ms: ${backup.output}`).toBeGreaterThan(0);
      await inspect(path, `seed ${seed}, kill ${kill}, after ${afterMs} ms`);
    }
  });
});
