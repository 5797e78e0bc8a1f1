import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Settings } from '../config/settings.ts';
import { cannot } from '../kernel/errors.ts';
import { shortId } from '../kernel/ids.ts';
import {
  type ConvertOptions,
  convertRepository,
  discardConversion,
  planConversion,
  refuseDamaged,
} from '../store/conversion/convert-repository.ts';
import { EMPTY_NOTES } from '../store/manifests/manifest.ts';
import { listKeySlots, type SlotMaterial } from '../store/repository.ts';
import type { StoreWriter } from '../store/store.ts';
import { requireSound } from './copy.ts';
import { copySnapshots } from './copy-snapshots.ts';
import type { Operation, OperationContext } from './operation.ts';
import { LOCK_WAIT_MS } from './repository-access.ts';
import { readKey, repositoryKey } from './repository-key.ts';
import { headMemory } from './seen-heads.ts';

const parameters = z
  .strictObject({
    kind: z.enum(['keyFile', 'passphrase']).optional(),
    /** Absent: the key that is configured. */
    keyPath: z.string().startsWith('/').max(4096).optional(),
    dryRun: z.boolean().default(false),
    /** Gives up an earlier one that was interrupted, and does nothing else. */
    discard: z.boolean().default(false),
  })
  .refine(({ kind, keyPath }) => (kind === undefined) === (keyPath === undefined));
type Parameters = z.infer<typeof parameters>;

/** Whoever restores from what is to be removed is waited for this long; the next writer removes it otherwise. */
const READERS_WAIT_MS = 60_000;
const IDS_TOLD_MAX = 1000;

/** Seals the repository anew where it stands: encrypts one that is not, gives another master key to one that is. */
export const convert: Operation<Parameters> = {
  kind: 'convert',
  params: parameters,
  async run(context, params) {
    const { settings, clock, activity } = context;
    const path = settings.repositoryDirectory;
    if (params.discard) {
      return { discarded: await discardConversion(path, { clock, lockWaitMs: LOCK_WAIT_MS }) };
    }
    const { encrypted } = await requireThere(path);
    // One that is not encrypted is opened without any, whatever is configured: somebody asks for it by name.
    const key = encrypted ? await repositoryKey(settings) : null;
    const plan = await planConversion(path, key);
    if (params.dryRun) return { dryRun: true, encrypted, ...plan };
    activity.log(
      `${plan.neededBytes} bytes are needed beside what is there, ${plan.freeBytes} are free`,
    );
    const newKey = await newKeyOf(settings, params);
    const { codec, verifyWrites } = settings;
    const common = { codec, verifyWrites, clock, key, newKey, lockWaitMs: LOCK_WAIT_MS };
    return convertWith(context, { ...common, readersWaitMs: READERS_WAIT_MS }, params);
  },
};

async function convertWith(
  context: OperationContext,
  options: ConvertOptions,
  { keyPath }: Parameters,
): Promise<Record<string, unknown>> {
  const { settings, activity } = context;
  const path = settings.repositoryDirectory;
  const { remember } = await headMemory(settings);
  const { filled, head, formerRemoved, ...ids } = await convertRepository(
    path,
    options,
    {
      fill: async (from, to) => {
        const copied = await copySnapshots(from, to, activity, { keepIds: true });
        refuseDamaged(path, copied.damaged);
        await removeOthers(to, new Set(copied.ids.values()));
        return copied;
      },
      verify: (folder) => requireSound(context, folder, options.newKey),
    },
    activity,
  );
  if (head !== null) await remember(head);
  if (!formerRemoved) {
    activity.warn('Somebody still reads what was converted: the next job that writes removes it');
  }
  if (keyPath !== undefined) {
    activity.warn(
      `Name ${keyPath} in the configuration (repositoryKey) and restart: nothing else opens the repository`,
    );
  }
  const told = [...filled.ids].slice(-IDS_TOLD_MAX);
  for (const [before, after] of told.slice(-20)) {
    activity.log(`snapshot ${shortId(before)} is ${shortId(after)} now`);
  }
  return { ...ids, snapshots: filled.ids.size, formerRemoved, ids: Object.fromEntries(told) };
}

/** What was removed between a run that was interrupted and this one. */
async function removeOthers(to: StoreWriter, wanted: ReadonlySet<string>): Promise<void> {
  const others = to.reader.listSnapshots().filter(({ id }) => !wanted.has(id));
  for (const { id, pinned } of others) if (pinned) await to.writeNotes(id, EMPTY_NOTES);
  await to.removeSnapshots(others.map(({ id }) => id));
}

async function requireThere(path: string): Promise<{ encrypted: boolean }> {
  if (existsSync(join(path, 'holdfast.json'))) return listKeySlots(path);
  throw cannot('REPO_UNINITIALISED', 'convert repository', path, 'there is none', {
    hint: 'Create it with "holdfast repository init --encrypt".',
  });
}

/** @throws KEY_REQUIRED */
async function newKeyOf(
  { repositoryKey: configured, repositoryDirectory, stateDirectory }: Settings,
  { kind, keyPath }: Parameters,
): Promise<SlotMaterial> {
  if (keyPath !== undefined) {
    const keyFile = kind === 'keyFile' ? keyPath : null;
    const passphraseFile = kind === 'passphrase' ? keyPath : null;
    return readKey({ keyFile, passphraseFile, secret: null }, stateDirectory);
  }
  if (configured !== null) return readKey(configured, stateDirectory);
  throw cannot('KEY_REQUIRED', 'convert repository', repositoryDirectory, 'no key is named', {
    hint: 'Name one in the configuration (repositoryKey), or give --new-key-file or --new-passphrase-file.',
  });
}
