import { chmod, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quietActivity } from '../../kernel/activity.ts';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { dieAtStep } from '../testing/dying-process.ts';
import { pictureOf } from '../testing/tree-picture.ts';
import {
  listQuarantine,
  purgeQuarantine,
  quarantineFamilyByCopy,
  readQuarantine,
  removePartialQuarantine,
  restoreQuarantined,
} from './quarantine.ts';

let home: string;
let state: string;
let target: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'quarantine-'));
  state = join(home, 'state');
  target = join(home, 'data', 'app.db');
  await mkdir(join(home, 'data'));
  for (const suffix of ['', '-wal', '-journal']) {
    await writeFile(`${target}${suffix}`, `content of ${suffix}`);
    await chmod(`${target}${suffix}`, 0o640);
    await utimes(`${target}${suffix}`, 1_600_000_000.5, 1_600_000_000.5);
  }
});
afterEach(() => rm(home, { recursive: true, force: true }));

const copy = (clock: Clock = systemClock) =>
  quarantineFamilyByCopy(
    {
      stateDirectory: state,
      target,
      reason: 'recovery',
      jobId: 'job',
      sourceId: 'app',
      note: 'before repair',
    },
    clock,
    quietActivity(),
  );

const at = (nowMs: number): Clock => ({ ...systemClock, nowMs: () => nowMs });

describe('quarantine', () => {
  it('keeps a family whole with its hashes, leaves the original alone, and gives back equal copies', async () => {
    const before = await pictureOf(join(home, 'data'));
    const record = await copy();
    expect(await pictureOf(join(home, 'data'))).toEqual(before);
    expect(record.items[0]?.members.map(({ name }) => name)).toEqual([
      'app.db',
      'app.db-wal',
      'app.db-journal',
    ]);
    expect(await readQuarantine(state, record.id)).toEqual(record);
    await restoreQuarantined(state, record.id, join(home, 'back'), quietActivity());
    const { '.': _old, ...expected } = before;
    const { '.': _new, ...back } = await pictureOf(join(home, 'back'));
    expect(back).toEqual(expected);
  });

  it('never writes over anything, and notices a kept copy that changed', async () => {
    const record = await copy();
    await expect(
      restoreQuarantined(state, record.id, join(home, 'data'), quietActivity()),
    ).rejects.toMatchObject({ code: 'TARGET_NOT_EMPTY' });
    const kept = join(state, 'quarantine', record.id, record.items[0]!.members[0]!.stored);
    await writeFile(kept, 'rotten');
    await expect(
      restoreQuarantined(state, record.id, join(home, 'back'), quietActivity()),
    ).rejects.toMatchObject({ code: 'VERIFY_FAILED' });
  });

  it('lists newest first, and purges by id or by age alone', async () => {
    const old = await copy(at(1_000_000));
    const middle = await copy(at(2_000_000));
    const young = await copy(at(3_000_000));
    const ids = async () => (await listQuarantine(state)).map(({ id }) => id);
    expect(await ids()).toEqual([young.id, middle.id, old.id]);
    expect(await purgeQuarantine(state, { olderThanMs: 2_000_000 }, at(3_000_000))).toEqual([
      old.id,
    ]);
    expect(await purgeQuarantine(state, young.id, systemClock)).toEqual([young.id]);
    expect(await ids()).toEqual([middle.id]);
    expect(await readdir(join(state, 'quarantine'))).toEqual([middle.id]);
    await expect(purgeQuarantine(state, young.id, systemClock)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('refuses ids that are no ids', async () => {
    for (const id of ['..', '../../data', 'x/y', '']) {
      await expect(readQuarantine(state, id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
  });

  it('a copy that is cut short is never listed, and leaves nothing', async () => {
    for (let n = 1; (await listQuarantine(state)).length === 0; n++) {
      expect(await readdir(join(state, 'quarantine')).catch(() => [])).toEqual([]);
      await dieAtStep(n, 'before', () => copy());
      await removePartialQuarantine(state);
    }
    // Only the last step, which makes the whole copy's name durable, came after it was listed.
    const [record] = await listQuarantine(state);
    expect(
      await restoreQuarantined(state, record!.id, join(home, 'back'), quietActivity()),
    ).toHaveLength(3);
    expect(await readFile(target, 'utf8')).toBe('content of ');
  });

  it('refuses a family of which nothing exists', async () => {
    await rm(join(home, 'data'), { recursive: true });
    await expect(copy()).rejects.toMatchObject({ code: 'SOURCE_MISSING' });
    expect(await listQuarantine(state)).toEqual([]);
  });
});
