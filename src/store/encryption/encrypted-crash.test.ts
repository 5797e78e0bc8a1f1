import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { KILL_AT_STEP_VARIABLE } from '../../files/durable-steps.ts';
import { systemClock } from '../../kernel/clock.ts';
import { checkRepository, initRepository, openReader, verifySnapshot } from '../repository.ts';
import { ENCRYPTED_VARIABLE, testKey } from '../testing/encrypted-repository.ts';
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
const MOMENTS = 3;
const images = [0, 1, 2].map((index) => {
  const bytes = Buffer.concat([rowBytes(100_000), noiseBytes(70_000, index + 1)]);
  bytes.write(`change ${index}`, 70_000);
  return bytes;
});

let folder: Awaited<ReturnType<typeof scratchFolder>>;
let program: string;
let template: string;
let ids: string[];

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
  await initRepository(template, { clock: systemClock, key: testKey });
  ids = [];
  for (const [at, image] of images.entries()) {
    const writer = await writerOf(template, { key: testKey });
    ids.push((await commitFile(writer, image, null, at)).id);
    await writer.close();
  }
  await writeFile(join(folder.path, 'image'), Buffer.concat([images[2]!, noiseBytes(50_000, 9)]));
  console.log(`HOLDFAST_TEST_SEED=${seed}`);
});
afterAll(() => folder.dispose());

function run(scenario: string, path: string, killAt = ''): Promise<[string | null, string]> {
  const child = spawn(process.execPath, [program, scenario, path, join(folder.path, 'image')], {
    env: {
      ...process.env,
      NODE_PATH: fileURLToPath(new URL('../../../node_modules', import.meta.url)),
      [ENCRYPTED_VARIABLE]: '1',
      [KILL_AT_STEP_VARIABLE]: killAt,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  return new Promise((resolve) =>
    child.once('close', (_code, signal) => resolve([signal, output])),
  );
}

function momentsOf(steps: number): string[] {
  const all = Array.from({ length: steps }, (_, index) => [
    `before:${index + 1}`,
    `after:${index + 1}`,
  ]).flat();
  const stride = everyStep ? 1 : Math.max(1, Math.floor(all.length / MOMENTS));
  return all.filter((_, index) => index % stride === seed % stride);
}

it.each(['init', 'commit', 'remove'])(
  'killed anywhere in %s: every snapshot that is listed opens whole, and the same work succeeds then',
  async (scenario) => {
    const fresh = async (name: string): Promise<string> => {
      const path = join(folder.path, name);
      if (scenario !== 'init') await cp(template, path, { recursive: true });
      return path;
    };
    const [, output] = await run(scenario, await fresh(`${scenario}-whole`));
    expect(Number(output), output).toBeGreaterThan(5);
    for (const moment of momentsOf(Number(output))) {
      const path = await fresh(`${scenario}-${moment.replace(':', '-')}`);
      expect((await run(scenario, path, moment))[0], moment).toBe('SIGKILL');
      if (existsSync(join(path, 'holdfast.json'))) {
        const reader = await openReader(path, testKey);
        for (const { id } of reader.listSnapshots()) {
          const verified = await verifySnapshot(reader, id, { deep: true }, activity);
          expect(verified, moment).toMatchObject({ ok: true });
          const index = ids.indexOf(id);
          if (index !== -1) expect((await fileOf(reader, id)).equals(images[index]!)).toBe(true);
        }
        reader.close();
      }
      expect((await run(scenario, path))[1], moment).toMatch(/^\d+$/);
      const report = await checkRepository(path, { readData: 'all', key: testKey }, activity);
      expect(report, moment).toMatchObject({ ok: true });
      await rm(path, { recursive: true });
    }
  },
  everyStep ? 600_000 : 30_000,
);
