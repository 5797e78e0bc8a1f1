import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RootSettings } from '../config/settings.ts';
import { cleanLeftoverStaging } from '../files/staging.ts';
import { resumeSwaps } from '../files/swap/swap.ts';
import { countSteps, dieAtStep } from '../files/testing/dying-process.ts';
import { pictureOf } from '../files/testing/tree-picture.ts';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import { type ApplyContext, applyPending } from './apply-pending.ts';
import {
  forgetApplied,
  listPending,
  type PendingRestore,
  readPending,
  removePending,
} from './pending-restore.ts';
import type { RestoreRequest } from './restore-request.ts';
import { type StageChoices, stagePending } from './stage-pending.ts';
import { directoryListing } from './testing/live-listing.ts';
import { Workplace } from './testing/stored-tree.ts';

let work: Workplace;
let data: string;
let roots: RootSettings[];
let ids = 0;

beforeEach(async () => {
  work = await Workplace.make();
  data = work.at('app', 'data');
  await mkdir(join(data, 'notes'), { recursive: true });
  const database = new Database(join(data, 'app.db'));
  database.exec("CREATE TABLE rows (word TEXT); INSERT INTO rows VALUES ('snapshot')");
  database.close();
  await writeFile(join(data, 'notes', 'a.txt'), 'snapshot');
  roots = [{ class: 'data', name: null, path: data, required: true }];
});
afterEach(() => work.remove());

async function stage(
  more: Partial<StageChoices> = {},
  request: Partial<RestoreRequest> = {},
): Promise<PendingRestore> {
  const snapshotId = await work.snapshot([{ class: 'data', name: null, path: data }]);
  ids += 1;
  const choices: StageChoices = {
    id: `0000000${ids}-aaaa`,
    sourceId: 'app',
    mode: 'merge',
    checkpoint: true,
    applyWhen: 'boot',
    stagedAt: '2026-01-02T03:04:05.000Z',
    stagedBy: null,
    replacePending: false,
    ...more,
  };
  const target = { type: 'in-place' as const, roots };
  return work.read((reader) =>
    stagePending(
      work.request(snapshotId, { target, ...request }),
      choices,
      reader,
      quietActivity(),
    ),
  );
}

async function changeLater(): Promise<void> {
  const database = new Database(join(data, 'app.db'));
  database.exec("UPDATE rows SET word = 'later'");
  database.close();
  await writeFile(join(data, 'notes', 'a.txt'), 'later');
  await writeFile(join(data, 'notes', 'b.txt'), 'added later');
}

const context = (more: Partial<ApplyContext> = {}): ApplyContext => ({
  stateDirectory: work.state,
  jobId: 'job',
  forbiddenPaths: [work.repository],
  roots: [data],
  listing: directoryListing(),
  checkpoint: async () => {},
  prove: async () => {},
  ...more,
});

async function apply(id: string, more: Partial<ApplyContext> = {}) {
  const pending = await readPending(work.state, id);
  return applyPending(pending, context(more), systemClock, quietActivity());
}

function word(): unknown {
  const database = new Database(join(data, 'app.db'), { fileMustExist: true });
  try {
    return database.prepare('SELECT word FROM rows').pluck().get();
  } finally {
    database.close();
  }
}

/** What the next start does first. */
async function reconcile(): Promise<void> {
  await resumeSwaps(work.state, systemClock, quietActivity());
  await forgetApplied(work.state);
  await cleanLeftoverStaging(work.state);
}

describe('a staged restore', () => {
  it('Z-58, Z-D15, Z-D16, F29: is extracted and checked, keeps its options, and needs neither snapshot nor repository', async () => {
    const pending = await stage(
      { checkpoint: false, applyWhen: 'free' },
      { overwrite: 'if-newer' },
    );
    expect(await readPending(work.state, pending.id)).toMatchObject({
      checkpoint: false,
      applyWhen: 'free',
      overwrite: 'if-newer',
      checked: ['data/app.db'],
      attempts: 0,
      state: 'staged',
    });
    await removePending(work.state, pending.id);
    const { id } = await stage();
    await changeLater();
    await rm(work.repository, { recursive: true });
    const touched: string[] = [];
    await apply(id, {
      checkpoint: async (paths) => {
        touched.push(...paths);
      },
    });
    expect(word()).toBe('snapshot');
    expect(touched).toEqual(['data/app.db', 'data/notes/a.txt']);
    expect(await readdir(join(data, 'notes'))).toEqual(['a.txt', 'b.txt']);
    expect(await listPending(work.state)).toEqual([]);
    expect(await readdir(join(work.state, 'staging'))).toEqual([]);
    expect(await readdir(join(work.state, 'pending-restores'))).toEqual([]);
  });

  it('Z-D15: is one per source; a second is refused unless it takes the place of the first', async () => {
    const first = await stage();
    await expect(stage()).rejects.toMatchObject({ code: 'ALREADY_PENDING' });
    const second = await stage({ replacePending: true });
    const waiting = await listPending(work.state);
    expect(waiting.map(({ id }) => id)).toEqual([second.id]);
    expect(waiting[0]!.id).not.toBe(first.id);
  });

  it('Z-59, Z-61: is cancelled with everything that was staged; the files of the source stay', async () => {
    expect(await listPending(work.state)).toEqual([]);
    const { id } = await stage();
    await changeLater();
    const before = await pictureOf(data);
    await cleanLeftoverStaging(work.state);
    await removePending(work.state, id);
    expect(await readdir(join(work.state, 'staging'))).toEqual([]);
    expect(await pictureOf(data)).toEqual(before);
    await expect(apply(id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('Z-D18: gives up after two failures, says why, and leaves the old state', async () => {
    const { id } = await stage();
    await changeLater();
    const before = await pictureOf(data);
    const checkpoint = () => Promise.reject(new Error('no snapshot could be taken'));
    await expect(apply(id, { checkpoint })).rejects.toThrow('no snapshot');
    expect(await readPending(work.state, id)).toMatchObject({ state: 'staged', attempts: 1 });
    await expect(apply(id, { checkpoint })).rejects.toThrow('no snapshot');
    expect(await readPending(work.state, id)).toMatchObject({
      state: 'failed',
      attempts: 2,
      lastError: { message: 'no snapshot could be taken' },
    });
    expect(await pictureOf(data)).toEqual(before);
    await apply(id);
    expect(word()).toBe('snapshot');
  });

  it('C-D2: waits while another process has the database open, which is no failure', async () => {
    const { id } = await stage();
    await changeLater();
    const program = fileURLToPath(new URL('testing/database-user.mjs', import.meta.url));
    const user = spawn(process.execPath, [program, join(data, 'app.db')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(user.stdout, 'data');
    await expect(apply(id)).rejects.toMatchObject({ code: 'TARGET_BUSY' });
    expect(await readPending(work.state, id)).toMatchObject({ state: 'staged', attempts: 0 });
    user.stdin.end();
    await once(user, 'exit');
    await apply(id);
    expect(word()).toBe('snapshot');
  });

  it('F-D11: that does not hold once it is in place is put back, and is not tried again', async () => {
    const { id } = await stage();
    await changeLater();
    const before = await pictureOf(data);
    const prove = () => Promise.reject(new Error('an assertion does not hold'));
    await expect(apply(id, { prove })).rejects.toThrow('the old state was put back');
    expect(await pictureOf(data)).toEqual(before);
    expect(await readPending(work.state, id)).toMatchObject({ state: 'failed', attempts: 1 });
    await expect(apply(id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('meets what came since: a directory keeps its new files, a symlink on the way is refused, mirror removes', async () => {
    const { id } = await stage({ mode: 'mirror' }, { mirror: directoryListing() });
    await rm(join(data, 'notes'), { recursive: true });
    await mkdir(work.at('elsewhere'));
    await symlink(work.at('elsewhere'), join(data, 'notes'));
    await expect(apply(id)).rejects.toMatchObject({ code: 'PATH_UNSAFE' });
    expect(await readdir(work.at('elsewhere'))).toEqual([]);
    await rm(join(data, 'notes'));
    await mkdir(join(data, 'notes'));
    await writeFile(join(data, 'notes', 'b.txt'), 'later');
    await writeFile(join(data, 'later.txt'), 'later');
    await apply(id);
    expect(await readdir(join(data, 'notes'))).toEqual(['a.txt']);
    expect(await readdir(data)).toEqual(['app.db', 'notes']);
  });

  it('Z-D17: nothing that lies in a root is taken for one', async () => {
    const { id } = await stage();
    const record = JSON.stringify(await readPending(work.state, id));
    await removePending(work.state, id);
    await mkdir(join(data, 'pending-restores'));
    await writeFile(join(data, 'pending-restores', `${id}.json`), record);
    await writeFile(join(data, 'pending_restore.json'), record);
    expect(await listPending(work.state)).toEqual([]);
  });

  it('Z-60, Z-D19: killed at any step of being put in place, the next start has the old state or the new one', async () => {
    const { id } = await stage();
    await changeLater();
    const old = await pictureOf(data, { times: false });
    const total = await countSteps(() => apply(id));
    const wanted = await pictureOf(data, { times: false });
    let rolledBack = 0;
    // Every seventh step, from a different one each time it runs: the swap's own tests try all of its steps.
    for (let step = 1; step <= total; step += 7) {
      await rm(data, { recursive: true });
      await mkdir(join(data, 'notes'), { recursive: true });
      const database = new Database(join(data, 'app.db'));
      database.exec("CREATE TABLE rows (word TEXT); INSERT INTO rows VALUES ('snapshot')");
      database.close();
      await writeFile(join(data, 'notes', 'a.txt'), 'snapshot');
      const staged = await stage({ replacePending: true });
      await changeLater();
      await dieAtStep(step, 'after', () => apply(staged.id));
      await reconcile();
      const waiting = await listPending(work.state);
      const now = await pictureOf(data, { times: false });
      if (waiting.length === 0) expect(now).toEqual(wanted);
      else {
        rolledBack += 1;
        expect(now).toEqual(old);
        await apply(staged.id);
        expect(await pictureOf(data, { times: false })).toEqual(wanted);
      }
    }
    expect(rolledBack).toBeGreaterThan(0);
  }, 60_000);
});
