import { z } from 'zod';
import { realPathOf } from '../config/own-places.ts';
import type { Settings } from '../config/settings.ts';
import { isInside } from '../files/safe-path.ts';
import { cannot } from '../kernel/errors.ts';
import { checkRepository, initRepository, openWriter } from '../store/repository.ts';
import { copySnapshots } from './copy-snapshots.ts';
import type { Operation, OperationContext } from './operation.ts';
import { LOCK_WAIT_MS, openRepositoryWriter } from './repository-access.ts';
import { readKey } from './repository-key.ts';

const path = z.string().startsWith('/').max(4096);

const parameters = z.strictObject({
  to: path,
  kind: z.enum(['keyFile', 'passphrase']),
  keyPath: path,
});
type CopyParameters = z.infer<typeof parameters>;

const IDS_TOLD_MAX = 1000;

/**
 * Copies every snapshot into an encrypted repository in a new folder: the way to encrypt a repository, and to get a new
 * master key. The old one is left as it is; the configuration names the new one when it suits.
 */
export const copy: Operation<CopyParameters> = {
  kind: 'copy',
  params: parameters,
  async run(context, params) {
    const { settings, clock, activity } = context;
    const to = await requireNewPlace(settings, params.to);
    const key = await readKey(
      {
        keyFile: params.kind === 'keyFile' ? params.keyPath : null,
        passphraseFile: params.kind === 'passphrase' ? params.keyPath : null,
        secret: null,
      },
      settings.stateDirectory,
    );
    // As its writer: nothing is removed or pruned meanwhile.
    const source = await openRepositoryWriter(settings, clock, activity, 'copy');
    try {
      await initRepository(to, { clock, key });
      const { codec, verifyWrites } = settings;
      const common = { clock, lockWaitMs: LOCK_WAIT_MS, purpose: 'copy', signal: activity.signal };
      const target = await openWriter(to, { codec, verifyWrites, key, ...common });
      try {
        const { ids, copied, damaged } = await copySnapshots(source.reader, target, activity);
        const told = [...ids].slice(-IDS_TOLD_MAX);
        await requireSound(context, to, key);
        return { to, copied, present: ids.size, damaged, ids: Object.fromEntries(told) };
      } finally {
        await target.close();
      }
    } finally {
      await source.close();
    }
  },
};

/** Every byte of it, before anybody is told that it may take the place of the old one. */
export async function requireSound(
  { activity }: OperationContext,
  path: string,
  key: Awaited<ReturnType<typeof readKey>>,
): Promise<void> {
  const report = await checkRepository(path, { readData: 'all', key }, activity);
  if (report.ok) return;
  const first = report.findings.find(({ severity }) => severity === 'error')?.message;
  throw cannot('VERIFY_FAILED', 'copy repository to', path, first ?? 'it is damaged', {
    hint: 'Keep the old repository. The disk or memory of this machine may be failing.',
    details: { findings: report.findings.slice(0, 20) },
  });
}

/** @throws PATH_UNSAFE */
async function requireNewPlace(settings: Settings, to: string): Promise<string> {
  const place = await realPathOf(to);
  const { repositoryDirectory, stateDirectory, sources } = settings;
  const roots = sources.flatMap((source) => source.roots.map((root) => root.path));
  const holder = [...roots, repositoryDirectory].find((each) => isInside(place, each));
  const inside = [...roots, repositoryDirectory, stateDirectory].find((each) =>
    isInside(each, place),
  );
  if (holder === undefined && inside === undefined) return place;
  const state = holder === undefined ? `it holds ${inside}` : `it lies in ${holder}`;
  throw cannot('PATH_UNSAFE', 'copy repository to', to, state, {
    hint: 'Choose a new folder outside every source and outside the repository.',
  });
}
