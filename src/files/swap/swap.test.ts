import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { quietActivity } from '../../kernel/activity.ts';
import { systemClock } from '../../kernel/clock.ts';
import { mountOf } from '../mounts.ts';
import { readQuarantine } from '../quarantine/quarantine.ts';
import { countSteps, dieAtStep, failAtStep } from '../testing/dying-process.ts';
import { pictureOf } from '../testing/tree-picture.ts';
import { setAsideHome, swapsHome } from './journal.ts';
import { performSwap, resumeSwaps, type SwapRequest } from './swap.ts';
import {
  buildScenario,
  removeScenario,
  type SwapScenario,
  writeTemplates,
} from './testing/swap-scenario.ts';

let templates: string;
let scenario: SwapScenario;
beforeAll(async () => {
  templates = await mkdtemp(join(tmpdir(), 'swap-templates-'));
  await writeTemplates(templates);
});
afterAll(() => rm(templates, { recursive: true, force: true }));
beforeEach(async () => {
  scenario = await buildScenario(templates);
});
afterEach(() => removeScenario(scenario));

const swap = (request: SwapRequest) => performSwap(request, systemClock, quietActivity());
const resume = ({ request }: SwapScenario) =>
  resumeSwaps(request.stateDirectory, systemClock, quietActivity());

function rowsOf(path: string): string[] {
  const database = new Database(path, { fileMustExist: true });
  try {
    return database.prepare('SELECT word FROM rows').pluck().all() as string[];
  } finally {
    database.close();
  }
}

const NEW_LISTING = [
  '.',
  './app.db',
  './calm.db',
  './folder',
  './folder/other.txt',
  './fresh.db',
  './leave.txt',
  './link',
  './made',
  './made/deep',
  './made/deep/deep.txt',
  './plain.txt',
  './turns.txt',
  './turns.txt/inner.txt',
];

describe('performSwap', () => {
  it('puts everything in place, and keeps every original in quarantine', async () => {
    const { data, request } = scenario;
    const before = await pictureOf(data);
    const result = await swap(request);
    expect(result).toMatchObject({ replaced: 6, created: 2, removed: 1 });
    const after = await pictureOf(data);
    expect(Object.keys(after).sort()).toEqual(NEW_LISTING);
    expect(after['./made']).toContain('directory 750 1600000000000000');
    const record = await readQuarantine(request.stateDirectory, result.quarantineId!);
    const kept = await pictureOf(join(request.stateDirectory, 'quarantine', record.id, '0'));
    for (const { target, members } of record.items) {
      expect(target.startsWith(data)).toBe(true);
      for (const { name } of members) expect(kept[`./${name}`]).toBe(before[`./${name}`]);
    }
    const names = record.items.flatMap(({ members }) => members.map(({ name }) => name));
    expect(names).toEqual(
      'plain.txt app.db app.db-wal app.db-shm link calm.db folder turns.txt removed.txt'.split(' '),
    );
    expect(kept['./folder/inner.txt']).toBe(before['./folder/inner.txt']);
    expect(await readdir(swapsHome(request.stateDirectory))).not.toContain(result.id);
  });

  it('Z-D5: never replays the stale WAL of the replaced database', async () => {
    await swap(scenario.request);
    const rows = rowsOf(join(scenario.data, 'app.db'));
    expect(rows).toHaveLength(301);
    expect(rows.filter((word) => word.startsWith('old'))).toEqual([]);
  });

  it('a failure at any step puts everything back, down to modes and times, and keeps what was staged', async () => {
    const { request, home, data } = scenario;
    const old = await pictureOf(data);
    const staged = await pictureOf(join(home, 'staging'), { times: false });
    const model = await buildScenario(templates);
    const steps = await countSteps(() => swap(model.request));
    await removeScenario(model);
    let undone = 0;
    for (let n = 1; n <= steps; n++) {
      const error = await failAtStep(n, 'ENOSPC', () => swap(request)).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      const listing = Object.keys(await pictureOf(data)).sort();
      // Past the commit record nothing is taken back: it is finished at the next start.
      if (JSON.stringify(listing) === JSON.stringify(NEW_LISTING)) break;
      expect(error).not.toBeNull();
      if ((await resume(scenario)).some(({ outcome }) => outcome === 'rolled-forward')) break;
      expect(await pictureOf(data), `step ${n}`).toEqual(old);
      expect(await pictureOf(join(home, 'staging'), { times: false })).toEqual(staged);
      expect(await readdir(join(request.stateDirectory, 'quarantine')).catch(() => [])).toEqual([]);
      undone += 1;
    }
    expect(undone).toBeGreaterThan(40);
  });

  it('undoes everything when a target is changed by somebody else meanwhile', async () => {
    const { request, data } = scenario;
    const old = await pictureOf(data);
    const beforeSwap = () => writeFile(join(data, 'removed.txt'), 'saved just now');
    await expect(swap({ ...request, beforeSwap })).rejects.toMatchObject({ code: 'TARGET_BUSY' });
    const { './removed.txt': removed, ...rest } = await pictureOf(data);
    const { './removed.txt': _before, ...expected } = old;
    expect(rest).toEqual(expected);
    expect(removed).toBeDefined();
    expect(await readFile(join(data, 'removed.txt'), 'utf8')).toBe('saved just now');
  });

  it('undoes everything when it is cancelled', async () => {
    const { request, data } = scenario;
    const old = await pictureOf(data);
    const controller = new AbortController();
    const beforeSwap = async () => controller.abort();
    const activity = quietActivity(controller.signal);
    await expect(
      performSwap({ ...request, beforeSwap }, systemClock, activity),
    ).rejects.toMatchObject({ name: 'AbortError' });
    expect(await pictureOf(data)).toEqual(old);
  });

  it('refuses targets named twice, inside one another, or relative, and changes nothing', async () => {
    const { request, data } = scenario;
    const old = await pictureOf(data);
    const [first] = request.items;
    const bad = [
      [first!, first!],
      [first!, { target: join(first!.target, 'inside'), staged: null, family: false }],
      [{ ...first!, target: 'relative' }],
      [{ ...first!, target: `${data}/../data/plain.txt` }],
      [{ ...first!, staged: join(data, 'missing') }],
    ];
    for (const items of bad) {
      await expect(swap({ ...request, items })).rejects.toMatchObject({ code: 'INVALID_PARAMS' });
    }
    expect(await pictureOf(data)).toEqual(old);
  });
});

describe('resumeSwaps', () => {
  it.each([
    ['damaged', (text: string) => text.replace('plain', 'plane'), 'RECOVERY_FAILED'],
    ['cut short', (text: string) => text.slice(0, 100), 'RECOVERY_FAILED'],
    ['of another format', (text: string) => text.replace(':1,', ':9,'), 'UNSUPPORTED_FORMAT'],
  ])('refuses a journal that is %s, sets it aside, and loses nothing', async (_, spoil, code) => {
    const { request, data } = scenario;
    await dieAtStep(30, 'after', () => swap(request));
    const [id] = (await readdir(swapsHome(request.stateDirectory))).filter((n) => /^\w+-/.test(n));
    const journal = join(swapsHome(request.stateDirectory), id!, 'journal.json');
    await writeFile(journal, spoil(await readFile(journal, 'utf8')));
    const before = [
      await pictureOf(data),
      await pictureOf(join(request.stateDirectory, 'quarantine')),
    ];
    await expect(resume(scenario)).rejects.toMatchObject({ code });
    const after = [
      await pictureOf(data),
      await pictureOf(join(request.stateDirectory, 'quarantine')),
    ];
    expect(after).toEqual(before);
    expect(await readdir(setAsideHome(request.stateDirectory))).toEqual([id]);
    expect(await resume(scenario)).toEqual([]);
  });
});

/** A directory on another file system than the scenario's, if this machine has one. */
async function otherFileSystem(): Promise<string | null> {
  const directory = await mkdtemp('/dev/shm/swap-state-').catch(() => null);
  if (directory === null) return null;
  if ((await mountOf(directory)).id !== (await mountOf(tmpdir())).id) return directory;
  await rm(directory, { recursive: true });
  return null;
}

describe('with the quarantine on another file system', () => {
  it('originals are copied there with their hashes, and a crash at any step yields old or new', async (context) => {
    const stateParent = await otherFileSystem();
    if (stateParent === null) return context.skip('there is no second file system at /dev/shm');
    try {
      const model = await buildScenario(templates, { stateParent });
      const before = await pictureOf(model.data);
      let result: Awaited<ReturnType<typeof swap>> | undefined;
      const steps = await countSteps(async () => {
        result = await swap(model.request);
      });
      const fresh = await pictureOf(model.data, { times: false });
      const record = await readQuarantine(model.request.stateDirectory, result!.quarantineId!);
      for (const member of record.items.flatMap(({ members }) => members)) {
        expect(member.sha256).toMatch(/^[0-9a-f]{64}$/);
      }
      const kept = await pictureOf(
        join(model.request.stateDirectory, 'quarantine', record.id, '0'),
      );
      for (const name of ['app.db', 'app.db-wal', 'plain.txt', 'link', 'folder/inner.txt']) {
        expect(kept[`./${name}`]).toBe(before[`./${name}`]);
      }
      await removeScenario(model);
      for (let n = 1; n <= steps; n += 6) {
        const crashed = await buildScenario(templates, { stateParent });
        const old = await pictureOf(crashed.data);
        await dieAtStep(n, 'before', () => swap(crashed.request));
        await resume(crashed);
        if (JSON.stringify(await pictureOf(crashed.data)) !== JSON.stringify(old)) {
          expect(await pictureOf(crashed.data, { times: false }), `step ${n}`).toEqual(fresh);
        }
        await removeScenario(crashed);
      }
    } finally {
      await rm(stateParent, { recursive: true, force: true });
    }
  });
});
