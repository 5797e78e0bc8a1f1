import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../config/settings.ts';
import type { WorkerStart } from '../jobs/worker-messages.ts';
import { HoldfastError } from '../kernel/errors.ts';
import { repositoryKey } from '../operations/repository-key.ts';
import type { StatusWarning } from '../protocol/method-map.ts';
import { type KeyMaterial, unlockRepository } from '../store/repository.ts';

type MasterKey = Extract<KeyMaterial, { kind: 'master' }>;
type KeySettings = Pick<Settings, 'repositoryKey' | 'repositoryDirectory' | 'stateDirectory'>;

/**
 * The key of an encrypted repository as long as the daemon runs: a passphrase is stretched once, and workers are
 * handed what came of it. Where the key is missing or wrong the daemon goes on, and `status` says so.
 */
export class KeyHolder {
  readonly #settings: KeySettings;
  #master: MasterKey | null = null;
  #failure: HoldfastError | null = null;

  constructor(settings: KeySettings) {
    this.#settings = settings;
  }

  /** For the reader of the daemon; null where no key is configured. @throws KEY_REQUIRED, KEY_WRONG, REPO_CORRUPT */
  async key(): Promise<KeyMaterial | null> {
    if (this.#master !== null && !(await this.#stillOpens(this.#master))) this.forget();
    await this.open();
    if (this.#failure !== null) throw this.#failure;
    return this.#master ?? repositoryKey(this.#settings);
  }

  /** The repository may have been converted meanwhile, and be another one. */
  async #stillOpens(master: MasterKey): Promise<boolean> {
    try {
      await unlockRepository(this.#settings.repositoryDirectory, master);
      return true;
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'KEY_WRONG') return false;
      throw error;
    }
  }

  /** Tries again where it did not work before. What is wrong is kept for `warnings`, never thrown. */
  async open(): Promise<void> {
    if (this.#master !== null) return;
    const { repositoryDirectory } = this.#settings;
    try {
      const key = await repositoryKey(this.#settings);
      const isThere = existsSync(join(repositoryDirectory, 'holdfast.json'));
      this.#master = isThere ? await unlockRepository(repositoryDirectory, key) : null;
      this.#failure = null;
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      this.#failure = error;
    }
  }

  /** What it opened is there no more: the next one who asks opens it anew. */
  forget(): void {
    this.#master = null;
    this.#failure = null;
  }

  /** What a worker needs so that it need not open a slot itself; undefined where there is nothing to hand over. */
  get handedOver(): WorkerStart['masterKey'] {
    if (this.#master === null) return undefined;
    const { repositoryId, bytes } = this.#master;
    return { repositoryId, hex: bytes.toString('hex') };
  }

  get warnings(): StatusWarning[] {
    const code = this.#failure?.code;
    if (code !== 'KEY_REQUIRED' && code !== 'KEY_WRONG') return [];
    const { message, hint = '' } = this.#failure!;
    const text = `No snapshot can be taken or restored. ${message}. ${hint}`;
    return [{ code, message: text, sourceId: null }];
  }
}
