import { differingKeys, keyFingerprints } from '../../capture/key-fingerprints.ts';
import { SecretStore } from '../../state/secret-store.ts';
import type { StoreReader } from '../../store/store.ts';
import type { OperationContext } from '../operation.ts';

/** What a snapshot holds may be worth nothing without the key that it was written with: says so, and goes on. */
export async function warnOfOtherKeys(
  { settings, activity }: Pick<OperationContext, 'settings' | 'activity'>,
  reader: StoreReader,
  { snapshotId, sourceId }: { readonly snapshotId: string; readonly sourceId: string },
): Promise<void> {
  const { keys: taken = [] } = await reader.readManifest(snapshotId);
  const source = settings.sources.find(({ id }) => id === sourceId);
  if (taken.length === 0 || source === undefined) return;
  const secrets = new SecretStore(settings.stateDirectory);
  const present = await keyFingerprints(source, (name) => secrets.read(name));
  for (const name of differingKeys(taken, present)) {
    activity.warn(
      `the key ${name} is another than when the snapshot was taken: what was encrypted with it cannot be read with this one`,
    );
  }
}
