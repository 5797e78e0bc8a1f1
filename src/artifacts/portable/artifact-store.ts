import type { Activity } from '../../kernel/activity.ts';

/** Where artifacts are kept by reference. A reader sees a whole pair of payload and manifest, or none. */
export interface ArtifactStore {
  /** What it is, for messages. */
  readonly description: string;
  /**
   * `present`: this very artifact is there already. The manifest is stored as it stands.
   * @throws IN_USE where another one has this reference, PATH_UNSAFE
   */
  put(
    reference: string,
    payload: AsyncIterable<Uint8Array>,
    manifestText: string,
    activity: Activity,
  ): Promise<'stored' | 'present'>;
  /** @throws NOT_FOUND, PATH_UNSAFE */
  get(reference: string): Promise<StoredArtifact>;
  exists(reference: string): Promise<boolean>;
  /** References, newest first; those whose manifest is there. */
  list(): Promise<string[]>;
  /** Replaces the alias at once: a reader follows the old one or the new one. */
  setAlias(alias: string, target: AliasTarget): Promise<void>;
  /** @throws NOT_FOUND; VERIFY_FAILED where it cannot be read as one */
  readAlias(alias: string): Promise<AliasTarget>;
  /** Names and what they stand for; those that cannot be read are left out. */
  aliases(): Promise<ReadonlyMap<string, AliasTarget>>;
}

export interface StoredArtifact {
  readonly reference: string;
  readonly manifestText: string;
  /** From its beginning; may be read once. */
  payload(): AsyncIterable<Uint8Array>;
}

export interface AliasTarget {
  readonly ref: string;
  /** Of the manifest that the alias stands for. */
  readonly digest: string;
}
