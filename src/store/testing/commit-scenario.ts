import { readFile } from 'node:fs/promises';
import {
  armKillSwitch,
  KILL_AT_STEP_VARIABLE,
  observeDurableSteps,
} from '../../files/durable-steps.ts';
import { quietActivity } from '../../kernel/activity.ts';
import { systemClock } from '../../kernel/clock.ts';
import {
  initRepository,
  openWriter,
  pruneRepository,
  rebuildCatalog,
  repairRepository,
} from '../repository.ts';
import { ENCRYPTED_VARIABLE, testKey } from './encrypted-repository.ts';
import { fileEntry, manifestOf, sourceOf } from './manifests.ts';

/** Set where the repository is encrypted. */
const key = process.env[ENCRYPTED_VARIABLE] === '1' ? testKey : null;

/**
 * Run in a process of its own, which a test ends at a durable step:
 * `<init|commit|rebuild|repair|remove> <repository> <image>`. Says how many steps there were.
 */
async function main([scenario, path, image]: string[]): Promise<number> {
  let steps = 0;
  observeDurableSteps((_step, _path, moment) => {
    if (moment === 'after') steps += 1;
  });
  armKillSwitch(process.env[KILL_AT_STEP_VARIABLE]);
  if (scenario === 'init') await initRepository(path!, { clock: systemClock, key });
  if (scenario === 'rebuild')
    await rebuildCatalog(path!, { clock: systemClock, key }, quietActivity());
  if (scenario === 'commit') await commit(path!, await readFile(image!));
  if (scenario === 'repair') {
    const options = { clock: systemClock, key, dryRun: false, lockWaitMs: 10_000 };
    await repairRepository(path!, options, quietActivity());
  }
  if (scenario === 'remove') await removeAndPrune(path!);
  return steps;
}

/** Removes the oldest snapshot, then prunes. A run after one that was ended finds the removal done, or repeats it. */
async function removeAndPrune(path: string): Promise<void> {
  const writer = await openWriter(path, {
    codec: 'brotli',
    verifyWrites: 'all',
    clock: systemClock,
    lockWaitMs: 10_000,
    key,
    purpose: 'remove scenario',
  });
  const snapshots = writer.reader.listSnapshots();
  if (snapshots.length > 2) await writer.removeSnapshots([snapshots.at(-1)!.id]);
  await writer.close();
  const limits = { key, graceMs: 0, unusedShare: 0.1, dryRun: false, lockWaitMs: 10_000 };
  await pruneRepository(path, { clock: systemClock, ...limits }, quietActivity());
}

async function commit(path: string, image: Buffer): Promise<void> {
  const activity = quietActivity();
  const writer = await openWriter(path, {
    codec: 'brotli',
    verifyWrites: 'all',
    clock: systemClock,
    lockWaitMs: 10_000,
    key,
    purpose: 'commit scenario',
  });
  const { reader } = writer;
  const parent = await reader.findEntry(
    await reader.readManifest(reader.resolveSnapshot('latest')),
    'data/file',
  );
  const content = await writer.writeContent(
    sourceOf(image),
    parent.type === 'file' ? parent.content : null,
    activity,
  );
  const tree = await writer.writeTree([fileEntry('file', content)]);
  const capturedAt = '2026-05-06T07:08:09.000Z';
  const { id } = await writer.commitSnapshot(
    (statistics) => manifestOf(tree, statistics, { capturedAt }),
    activity,
  );
  await writer.writeNotes(id, { tags: ['scenario'], pinned: true, verifications: [] });
  await writer.close();
}

main(process.argv.slice(2)).then(
  (steps) => process.stdout.write(String(steps)),
  (error: unknown) => {
    process.stderr.write(String(error));
    process.exitCode = 1;
  },
);
