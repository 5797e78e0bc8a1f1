import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { cp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KILL_AT_STEP_VARIABLE } from '../../files/durable-steps.ts';
import { systemClock } from '../../kernel/clock.ts';
import { listPacks } from '../catalog/load-packs.ts';
import { layoutOf, packPath } from '../layout.ts';
import { checkRepository, initRepository, openReader, verifySnapshot } from '../repository.ts';
import {
  activity,
  commitFile,
  fileOf,
  noiseBytes,
  rowBytes,
  scratchFolder,
  writerOf,
} from '../testing/scratch-repository.ts';

/** HOLDFAST_TEST_EVERY_STEP ends the scenario at every step; otherwise at a few, HOLDFAST_TEST_SEED choosing. */
const everyStep = process.env['HOLDFAST_TEST_EVERY_STEP'] === '1';
const seed = Number(process.env['HOLDFAST_TEST_SEED'] ?? Math.floor(Math.random() * 1e6));
const STEPS_PER_SCENARIO = 3;

let folder: Awaited<ReturnType<typeof scratchFolder>>;
let program: string;
let template: string;
const before = Buffer.concat([rowBytes(200_000), noiseBytes(100_000)]);
const after = Buffer.concat([before, noiseBytes(80_000, 9)]);
after.write('a changed row', 70_000);

beforeAll(async () => {
  folder = await scratchFolder();
  program = join(folder.path, 'scenario.cjs');
  template = join(folder.path, 'template');
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
  const writer = await writerOf(template);
  await commitFile(writer, before);
  await writer.close();
  await writeFile(join(folder.path, 'image'), after);
});
afterAll(() => folder.dispose());

/** Runs a scenario in a process of its own; `killAt` as armKillSwitch takes it. */
function run(
  scenario: string,
  path: string,
  killAt?: string,
): Promise<{ signal: string | null; output: string }> {
  const modules = fileURLToPath(new URL('../../../node_modules', import.meta.url));
  const child = spawn(process.execPath, [program, scenario, path, join(folder.path, 'image')], {
    env: {
      ...process.env,
      NODE_PATH: modules,
      ...(killAt === undefined ? {} : { [KILL_AT_STEP_VARIABLE]: killAt }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  return new Promise((resolve) =>
    child.once('close', (_code, signal) => resolve({ signal, output })),
  );
}

/** The moments at which to kill: all `steps`, or a few of them. */
function momentsOf(steps: number): string[] {
  const all = Array.from({ length: steps }, (_, index) => [
    `before:${index + 1}`,
    `after:${index + 1}`,
  ]).flat();
  if (everyStep) return all;
  console.log(`HOLDFAST_TEST_SEED=${seed}`);
  const stride = Math.max(1, Math.floor(all.length / STEPS_PER_SCENARIO));
  return all.filter((_, index) => index % stride === seed % stride);
}

/** Ends `scenario` at each moment, over a fresh copy of the template, and looks at what is left. */
async function killAtSteps(
  scenario: string,
  prepare: (path: string) => Promise<void>,
  inspect: (path: string, moment: string) => Promise<void>,
): Promise<void> {
  const whole = join(folder.path, `${scenario}-whole`);
  await prepare(whole);
  const { output } = await run(scenario, whole);
  const steps = Number(output);
  expect(steps, output).toBeGreaterThan(5);
  for (const moment of momentsOf(steps)) {
    const path = join(folder.path, `${scenario}-${moment.replace(':', '-')}`);
    await prepare(path);
    // The directory of a pack is named by its bytes, so a step more or less is possible only without a kill.
    expect(await run(scenario, path, moment), moment).toMatchObject({ signal: 'SIGKILL' });
    await inspect(path, moment);
    await rm(path, { recursive: true });
  }
}

/** Old or new state, every listed snapshot sound, nothing left over, and the same work succeeds now. */
async function inspectAfterCrash(path: string, moment: string): Promise<void> {
  const unlocked = await openReader(path);
  for (const { id } of unlocked.listSnapshots()) {
    expect(await verifySnapshot(unlocked, id, { deep: true }, activity), moment).toMatchObject({
      ok: true,
    });
  }
  unlocked.close();
  const writer = await writerOf(path);
  const layout = layoutOf(path);
  expect(readdirSync(layout.temporary), moment).toEqual([]);
  const list = writer.reader.listSnapshots();
  expect([1, 2], moment).toContain(list.length);
  for (const { id } of list) {
    const image = id === list.at(-1)!.id ? before : after;
    expect((await fileOf(writer.reader, id)).equals(image), moment).toBe(true);
  }
  await writer.close();
  const report = await checkRepository(path, { readData: 'all' }, activity);
  expect(report.findings, moment).toEqual([]);
}

const copyTemplate = (path: string): Promise<void> => cp(template, path, { recursive: true });

describe('killed at a durable step', () => {
  it('T-D4, T-D5, T-16, F-D7, Z-D28: a commit leaves the old state or the new one, and can be repeated', {
    timeout: 600_000,
  }, async () => {
    await killAtSteps('commit', copyTemplate, async (path, moment) => {
      await inspectAfterCrash(path, moment);
      const writer = await writerOf(path);
      const { id } = await commitFile(writer, after, null, 99);
      expect((await fileOf(writer.reader, id)).equals(after), moment).toBe(true);
      await writer.close();
    });
  });

  it('the creation of a repository can be repeated', { timeout: 600_000 }, async () => {
    await killAtSteps(
      'init',
      async () => {},
      async (path, moment) => {
        await initRepository(path, { clock: systemClock });
        const writer = await writerOf(path);
        await commitFile(writer, before);
        await writer.close();
        expect(
          (await checkRepository(path, { readData: 'all' }, activity)).findings,
          moment,
        ).toEqual([]);
        expect(existsSync(join(path, 'holdfast.json'))).toBe(true);
      },
    );
  });

  it('a repair of rot can be repeated, and what comes again makes whole what lost something', {
    timeout: 600_000,
  }, async () => {
    const end = before.subarray(before.length - 3_000);
    await killAtSteps(
      'repair',
      async (path) => {
        await copyTemplate(path);
        const layout = layoutOf(path);
        const file = packPath(layout, (await listPacks(layout))[0]!);
        const bytes = await readFile(file);
        const at = bytes.indexOf(end.subarray(0, 64));
        expect(at).toBeGreaterThan(0);
        bytes[at + 20]! ^= 2;
        await writeFile(file, bytes);
      },
      async (path, moment) => {
        expect(await run('repair', path), moment).toMatchObject({ signal: null });
        const report = await checkRepository(path, { readData: 'all' }, activity);
        const codes = new Set(report.findings.map(({ code }) => code));
        expect([...codes], moment).toEqual(['OBJECT_MISSING']);
        const writer = await writerOf(path);
        await commitFile(writer, before, null, 99);
        expect(writer.healedObjects, moment).toBe(1);
        for (const { id } of writer.reader.listSnapshots()) {
          expect((await fileOf(writer.reader, id)).equals(before), moment).toBe(true);
        }
        await writer.close();
        const after = await checkRepository(path, { readData: 'all' }, activity);
        expect(after.findings, moment).toEqual([]);
      },
    );
  });

  it('the repair of a torn pack and a rebuild lose nothing', { timeout: 600_000 }, async () => {
    await killAtSteps(
      'rebuild',
      async (path) => {
        await copyTemplate(path);
        const layout = layoutOf(path);
        const file = packPath(layout, (await listPacks(layout))[0]!);
        // Only the index is lost: every record can be saved.
        await truncate(file, (await import('node:fs')).statSync(file).size - 1);
      },
      async (path, moment) => {
        const writer = await writerOf(path);
        await writer.close();
        await inspectAfterCrash(path, moment);
      },
    );
  });
});
