import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { quietActivity } from '../../kernel/activity.ts';
import { systemClock } from '../../kernel/clock.ts';
import { systemCode } from '../../kernel/errors.ts';
import { KILL_AT_STEP_VARIABLE } from '../durable-steps.ts';
import { identify } from '../entry-identity.ts';
import { listQuarantine } from '../quarantine/quarantine.ts';
import { type BundledProgram, bundleProgram } from '../testing/bundled-program.ts';
import { countSteps, dieAtStep } from '../testing/dying-process.ts';
import { pictureOf } from '../testing/tree-picture.ts';
import { performSwap, resumeSwaps, type SwapRequest } from './swap.ts';
import {
  buildScenario as buildOn,
  removeScenario,
  type SwapScenario,
  writeTemplates,
} from './testing/swap-scenario.ts';

/** Every step is tried with HOLDFAST_TEST_EVERY_STEP=1; otherwise a sample chosen by HOLDFAST_TEST_SEED. */
const everyStep = process.env['HOLDFAST_TEST_EVERY_STEP'] === '1';
const seed = Number(process.env['HOLDFAST_TEST_SEED'] ?? Math.floor(Math.random() * 1e6));

let templates: string;
let program: BundledProgram;
beforeAll(async () => {
  templates = await mkdtemp(join(tmpdir(), 'swap-templates-'));
  await writeTemplates(templates);
  program = await bundleProgram(new URL('testing/swap-program.ts', import.meta.url));
});
afterAll(async () => {
  await rm(templates, { recursive: true, force: true });
  await program.remove();
});

/** Scenarios that a failing test would leave behind. */
const built = new Set<SwapScenario>();
afterEach(async () => {
  for (const scenario of built) await removeScenario(scenario);
  built.clear();
});

async function buildScenario(options: { only?: readonly string[] } = {}): Promise<SwapScenario> {
  const scenario = await buildOn(templates, options);
  built.add(scenario);
  return scenario;
}

const swap = (request: SwapRequest) => performSwap(request, systemClock, quietActivity());
const resume = ({ request }: SwapScenario) =>
  resumeSwaps(request.stateDirectory, systemClock, quietActivity());

/** What an application that starts now would find at a database's name. */
async function familyState(scenario: SwapScenario, name: string): Promise<string> {
  const path = join(scenario.data, name);
  const main = await identify(path);
  if (main === null) return 'nothing';
  if (main.kind === 'symlink') return 'blocked';
  const isNew = (await readFile(path)).equals(await readFile(join(templates, 'new.db')));
  const wal = await identify(`${path}-wal`);
  return `${isNew ? 'new' : 'old'} ${wal === null ? 'alone' : 'with its WAL'}`;
}

/** `old` or `new`; fails on anything else. */
async function outcome(
  scenario: SwapScenario,
  old: Record<string, string>,
  fresh: Record<string, string>,
  message: string,
): Promise<'old' | 'new'> {
  if (JSON.stringify(await pictureOf(scenario.data)) === JSON.stringify(old)) return 'old';
  expect(await pictureOf(scenario.data, { times: false }), message).toEqual(fresh);
  return 'new';
}

/** What the swap makes of the scenario, and how many durable steps it takes. */
async function model(options: { only?: readonly string[] }) {
  const scenario = await buildScenario(options);
  const steps = await countSteps(() => swap(scenario.request));
  const fresh = await pictureOf(scenario.data, { times: false });
  await removeScenario(scenario);
  return { steps, fresh };
}

const cases: { name: string; stride: number; only?: string[] }[] = [
  { name: 'everything', stride: 8 },
  { name: 'one database with a WAL', only: ['app.db'], stride: 4 },
  { name: 'one database without sidecars', only: ['calm.db'], stride: 4 },
  { name: 'one new file', only: ['made/deep/deep.txt'], stride: 4 },
];

describe(`a crash while swapping (seed ${seed})`, () => {
  for (const { name, stride, only } of cases) {
    it(`${name}, resumed, and killed again while resuming: exactly old or exactly new`, async () => {
      const options = only === undefined ? {} : { only };
      const { steps, fresh } = await model(options);
      const seen = new Set<string>();
      for (let n = 1; n <= steps; n++) {
        if (!everyStep && n > 1 && n < steps && (n + seed) % stride !== 0) continue;
        for (const at of ['before', 'after'] as const) {
          const scenario = await buildScenario(options);
          const old = await pictureOf(scenario.data);
          const died = await dieAtStep(n, at, () => swap(scenario.request));
          // A step that fails of itself (removing what is not there) has no moment after it.
          if (!died) expect(at).toBe('after');
          const state = await familyState(scenario, 'app.db');
          expect(['old with its WAL', 'blocked', 'new alone'], `${at} ${n}`).toContain(state);
          await dieAtStep(1 + ((n * 7 + seed) % 13), at, () => resume(scenario));
          await resume(scenario);
          seen.add(await outcome(scenario, old, fresh, `${at} step ${n}, seed ${seed}`));
          expect(await resume(scenario)).toEqual([]);
          await removeScenario(scenario);
        }
      }
      expect([...seen].sort()).toEqual(['new', 'old']);
    });
  }

  it('by SIGKILL of a real process: exactly old or exactly new, with nothing left of the swap', {
    timeout: 600_000,
  }, async () => {
    const { steps, fresh } = await model({});
    const points = everyStep
      ? Array.from({ length: steps }, (_, index) => index + 1)
      : [0.45, 0.7, 0.85].map((part) => 1 + Math.floor((part + (seed % 7) / 50) * steps));
    for (const n of points) {
      for (const at of everyStep ? ['before', 'after'] : [n % 2 === 0 ? 'before' : 'after']) {
        const scenario = await buildScenario();
        const old = await pictureOf(scenario.data);
        const request = join(scenario.home, 'request.json');
        await writeFile(request, JSON.stringify(scenario.request));
        const run = (args: string[], kill?: string) =>
          spawnSync(process.execPath, [program.path, ...args], {
            env: {
              ...process.env,
              ...(kill === undefined ? {} : { [KILL_AT_STEP_VARIABLE]: kill }),
            },
            encoding: 'utf8',
          });
        const swapped = run(['swap', request], `${at}:${n}`);
        if (at === 'before') expect(swapped.signal, `${at}:${n}`).toBe('SIGKILL');
        run(['resume', scenario.request.stateDirectory], `after:${1 + (n % 6)}`);
        const resumed = run(['resume', scenario.request.stateDirectory]);
        expect(resumed.stderr).toBe('');
        await outcome(scenario, old, fresh, `${at}:${n}, seed ${seed}`);
        const swaps = join(scenario.request.stateDirectory, 'swaps');
        const left = await readdir(swaps).catch(() => []);
        expect(left.filter((each) => !each.startsWith('lock.db'))).toEqual([]);
        await removeScenario(scenario);
      }
    }
  });
});

describe('where no hard links can be made', () => {
  it('originals are moved instead, and a crash at any step still yields old or new', async () => {
    const { steps, fresh } = await model({});
    for (let n = 1; n <= steps + 10; n += everyStep ? 1 : 10) {
      const scenario = await buildScenario();
      const old = await pictureOf(scenario.data);
      await dieAtStep(n, 'after', () => swap(scenario.request), { withoutLinks: true });
      await resume(scenario);
      await outcome(scenario, old, fresh, `step ${n}`);
      await removeScenario(scenario);
    }
  });
});

describe('an application that starts between the crash and the resuming', () => {
  it('never sees a mixture: it finds the old database, the new one, or cannot open any', async () => {
    const { steps } = await model({});
    const seen = new Set<string>();
    for (let n = 1 + (seed % 6); n <= steps; n += everyStep ? 1 : 6) {
      const scenario = await buildScenario();
      await dieAtStep(n, 'after', () => swap(scenario.request));
      const open = (name: string): string => {
        try {
          const database = new Database(join(scenario.data, name), { fileMustExist: true });
          try {
            const words = database.prepare('SELECT word FROM rows').pluck().all() as string[];
            return `${words[0]} ${words.length}`;
          } finally {
            database.close();
          }
        } catch (error) {
          return systemCode(error) ?? 'unknown';
        }
      };
      const states = ['app.db', 'calm.db', 'fresh.db'].map(open);
      seen.add(states[0]!);
      expect(['old 201', 'new 301', 'SQLITE_CANTOPEN'], `step ${n}`).toContain(states[0]);
      expect(['calm 1', 'new 301', 'SQLITE_CANTOPEN'], `step ${n}`).toContain(states[1]);
      // What was and what comes are never open side by side.
      const isOld = states.includes('old 201') || states.includes('calm 1');
      expect(isOld && states.includes('new 301'), `step ${n}: ${states}`).toBe(false);
      await resume(scenario);
      expect(['old 201', 'new 301']).toContain(open('app.db'));
      await removeScenario(scenario);
    }
    expect(seen).toContain('SQLITE_CANTOPEN');
  });

  it('keeps what it wrote: rolled back, its file goes to quarantine', async () => {
    const scenario = await buildScenario({ only: ['app.db'] });
    try {
      const { steps } = await model({ only: ['app.db'] });
      for (let n = 1; n <= steps; n++) {
        await dieAtStep(n, 'after', () => swap(scenario.request));
        if ((await familyState(scenario, 'app.db')) === 'blocked') break;
        await resume(scenario);
      }
      expect(await familyState(scenario, 'app.db')).toBe('blocked');
      // Somebody removes the odd symlink and starts afresh.
      await rm(join(scenario.data, 'app.db'));
      await writeFile(join(scenario.data, 'app.db'), 'started afresh');
      expect(await resume(scenario)).toMatchObject([{ outcome: 'rolled-back' }]);
      expect(await familyState(scenario, 'app.db')).toBe('old with its WAL');
      const [record] = await listQuarantine(scenario.request.stateDirectory);
      const kept = join(
        scenario.request.stateDirectory,
        'quarantine',
        record!.id,
        record!.items[0]!.members[0]!.stored,
      );
      expect(await readFile(kept, 'utf8')).toBe('started afresh');
    } finally {
      await removeScenario(scenario);
    }
  });
});
