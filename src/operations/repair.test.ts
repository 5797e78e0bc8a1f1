import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HoldfastError } from '../kernel/errors.ts';
import { layoutOf } from '../store/layout.ts';
import { openReader, type RepairReport } from '../store/repository.ts';
import { backup } from './backup.ts';
import { check } from './check.ts';
import type { OperationContext } from './operation.ts';
import { RotBench, restoreAll } from './testing/rot-bench.ts';
import { verify } from './verify.ts';

/** A source of one file that never changes and one that does, and two snapshots of it. */

let bench: RotBench;
let context: OperationContext;
let warnings: string[];
let snapshots: string[];

const steady = randomBytes(150_000);

beforeEach(async () => {
  bench = await RotBench.empty();
  writeFileSync(join(bench.data, 'steady.bin'), steady);
  writeFileSync(join(bench.data, 'other.bin'), randomBytes(100_000));
  const made = await bench.context(bench.template);
  warnings = [];
  context = {
    ...made,
    // So that what is looked for in packs stands there as it is.
    settings: { ...made.settings, codec: 'none' },
    activity: { ...made.activity, warn: (message) => void warnings.push(message) },
  };
  snapshots = [await takeBackup().then(({ snapshotId }) => snapshotId)];
  writeFileSync(join(bench.data, 'other.bin'), randomBytes(100_000));
  snapshots.push((await takeBackup()).snapshotId);
});
afterEach(() => bench.remove());

async function takeBackup(): Promise<{
  snapshotId: string;
  healedObjects: number;
  snapshotsHealed: string[];
}> {
  // What changed a moment ago is read again anyway: only what is older is taken from the parent.
  await new Promise((resolve) => setTimeout(resolve, 60));
  return (await backup.run(context, backup.params.parse({}))) as never;
}

const repair = async (dryRun = false): Promise<RepairReport> => {
  const params = check.params.parse({ repair: true, dryRun });
  return (await check.run(context, params))['repair'] as RepairReport;
};
const checkAll = () => check.run(context, check.params.parse({ readData: 'all' }));

/** Flips a bit in the first stored bytes of the pack that holds the steady file. */
function rotSteadyFile(): string {
  for (const path of packs()) {
    const bytes = readFileSync(path);
    const at = bytes.indexOf(steady.subarray(0, 40));
    if (at === -1) continue;
    bytes[at + 7]! ^= 4;
    writeFileSync(path, bytes);
    return path;
  }
  throw new Error('no pack holds the steady file');
}

const packs = (): string[] =>
  (readdirSync(layoutOf(bench.template).packs, { recursive: true }) as string[])
    .filter((name) => name.endsWith('.pack'))
    .map((name) => join(layoutOf(bench.template).packs, name));

async function restored(id: string): Promise<{ files: number; refused: string[] }> {
  const reader = await openReader(bench.template);
  try {
    const { files, refused } = await restoreAll(reader, id);
    return { files: files.size, refused: [...refused.keys()] };
  } finally {
    reader.close();
  }
}

async function verifiedOk(): Promise<(boolean | null)[]> {
  const reader = await openReader(bench.template);
  try {
    return snapshots.map(
      (id) => reader.listSnapshots().find((each) => each.id === id)?.verifiedOk ?? null,
    );
  } finally {
    reader.close();
  }
}

describe('check --repair', () => {
  it('a dry run tells what is lost and changes nothing; the repair saves the rest, sets the pack aside and marks what lost something', async () => {
    const pack = rotSteadyFile();
    const before = packs();
    const planned = await repair(true);
    expect(planned).toMatchObject({
      dryRun: true,
      isWhole: false,
      packsDamaged: 1,
      recordsLost: 1,
    });
    expect(packs()).toEqual(before);
    const done = await repair();
    expect({ ...done, dryRun: true }).toEqual(planned);
    expect(done).toMatchObject({ snapshotsLosing: 2, snapshotsWhole: 0, objectsMissing: 1 });
    expect(done.snapshots[0]?.lost).toEqual([
      {
        path: 'data/steady.bin',
        isFile: true,
        chunks: 1,
        bytes: 65_536,
        ranges: [{ offset: 0, lengthBytes: 65_536 }],
      },
    ]);
    expect(statSync(pack, { throwIfNoEntry: false })).toBeUndefined();
    const aside = readdirSync(layoutOf(bench.template).setAside);
    expect(aside.some((name) => pack.endsWith(name.slice(0, 69)))).toBe(true);
    expect(await restored(snapshots[0]!)).toEqual({ files: 1, refused: ['data/steady.bin'] });
    expect(await verifiedOk()).toEqual([false, false]);
    expect(warnings.some((each) => each.includes('has lost 65536 bytes'))).toBe(true);
    // Again there is nothing to save.
    expect(await repair()).toMatchObject({ packsDamaged: 0, recordsLost: 0, snapshotsLosing: 2 });
  });

  it('of a sound repository it says so and moves nothing', async () => {
    const before = packs();
    expect(await repair()).toMatchObject({ isWhole: true, packsDamaged: 0, snapshotsWhole: 2 });
    expect(packs()).toEqual(before);
    expect(warnings).toEqual([]);
  });
});

describe('a backup after damage', () => {
  it.each(['repair', 'check'] as const)(
    'stores again what the live data still has, found by a %s; the snapshots before it are whole again',
    async (by) => {
      rotSteadyFile();
      if (by === 'repair') await repair();
      else await expect(checkAll()).rejects.toMatchObject({ code: 'VERIFY_FAILED' });
      const healed = await takeBackup();
      expect(healed.healedObjects).toBe(1);
      for (const id of [...snapshots, healed.snapshotId]) {
        expect(await restored(id)).toEqual({ files: 2, refused: [] });
      }
      if (by === 'repair') {
        expect(healed.snapshotsHealed.toSorted()).toEqual(snapshots.toSorted());
        expect(await verifiedOk()).toEqual([true, true]);
        await checkAll();
      } else {
        await repair();
        await checkAll();
      }
      // Nothing is known to be damaged any more, and so nothing is read again.
      expect(statSync(layoutOf(bench.template).knownDamage, { throwIfNoEntry: false })).toBe(
        undefined,
      );
      expect((await takeBackup()).healedObjects).toBe(0);
      await verify.run(context, verify.params.parse({ snapshots: 'all', deep: true }));
    },
  );

  it('damage that has gone away is no longer known once all data reads well, though snapshots need what it was', async () => {
    const path = rotSteadyFile();
    const damaged = readFileSync(path);
    await expect(checkAll()).rejects.toMatchObject({ code: 'VERIFY_FAILED' });
    // The same disk, read well this time.
    const bytes = Buffer.from(damaged);
    bytes[bytes.indexOf(steady.subarray(8, 40)) - 1]! ^= 4;
    writeFileSync(path, bytes);
    expect(await checkAll()).toMatchObject({ ok: true, errors: 0 });
    expect(warnings).toContainEqual(expect.stringContaining('is used again'));
    expect(statSync(layoutOf(bench.template).knownDamage, { throwIfNoEntry: false })).toBe(
      undefined,
    );
    warnings = [];
    expect(await checkAll()).toMatchObject({ ok: true });
    expect(warnings).toEqual([]);
    // And if it comes back, it is found again.
    writeFileSync(path, damaged);
    await expect(checkAll()).rejects.toMatchObject({ code: 'VERIFY_FAILED' });
  });

  it('without any check: trees that the parent cannot give are stored again, and the new snapshot is whole', async () => {
    let damaged = 0;
    for (const path of packs()) {
      const bytes = readFileSync(path);
      const at = bytes.indexOf('"name":"steady.bin"');
      if (at === -1) continue;
      writeFileSync(path, bytes.fill('X', at, at + 3));
      damaged += 1;
    }
    expect(damaged).toBe(2);
    const { snapshotId } = await takeBackup();
    expect(await restored(snapshotId)).toEqual({ files: 2, refused: [] });
  });

  it('a parent whose manifest is damaged costs the shortcut, not the backup', async () => {
    const path = join(layoutOf(bench.template).snapshots, `${snapshots[1]}.json`);
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.subarray(0, 200));
    const { snapshotId } = await takeBackup();
    expect(await restored(snapshotId)).toEqual({ files: 2, refused: [] });
    const done = await repair();
    expect(done.manifestsLost).toEqual([snapshots[1]]);
  });

  it('a manifest with one bit tipped over is mended', async () => {
    const path = join(layoutOf(bench.template).snapshots, `${snapshots[1]}.json`);
    const sound = readFileSync(path);
    const bytes = Buffer.from(sound);
    bytes[300]! ^= 16;
    writeFileSync(path, bytes);
    await expect(checkAll()).rejects.toBeInstanceOf(HoldfastError);
    expect((await repair()).manifestsMended).toEqual([snapshots[1]]);
    expect(readFileSync(path)).toEqual(sound);
    await checkAll();
  });
});
