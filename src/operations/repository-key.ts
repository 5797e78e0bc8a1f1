import { open } from 'node:fs/promises';
import type { RepositoryKeySettings, Settings } from '../config/settings.ts';
import type { WorkerStart } from '../jobs/worker-messages.ts';
import { cannot, HoldfastError, messageOf, systemCode } from '../kernel/errors.ts';
import { SecretStore } from '../state/secret-store.ts';
import {
  type KeyMaterial,
  openReader,
  type SlotMaterial,
  unlockRepository,
} from '../store/repository.ts';

/** The key of an encrypted repository, from where the settings say it is. It goes into memory and nowhere else. */

export const KEY_BYTES = 32;
const FILE_BYTES_MAX = 64 * 1024;
export const PASSPHRASE_BYTES_MIN = 12;

type MasterKey = Extract<KeyMaterial, { kind: 'master' }>;
type KeyPlaces = Pick<Settings, 'repositoryKey' | 'stateDirectory' | 'repositoryDirectory'>;

let handedOver: MasterKey | null = null;

/** Called once in a worker whose supervisor has opened the repository: a passphrase is then not stretched again. */
export function takeMasterKey({ masterKey }: Pick<WorkerStart, 'masterKey'>): void {
  if (masterKey === undefined) return;
  const { repositoryId, hex } = masterKey;
  handedOver = { kind: 'master', repositoryId, bytes: Buffer.from(hex, 'hex') };
}

/** What opens the repository of these settings; null where it is not encrypted. @throws KEY_REQUIRED */
export async function repositoryKey(settings: KeyPlaces): Promise<KeyMaterial | null> {
  if (settings.repositoryKey === null) return null;
  if (handedOver !== null && !(await isConverted(settings, handedOver))) return handedOver;
  return readKey(settings.repositoryKey, settings.stateDirectory);
}

/** Whether what stands there was made of the repository that the master key is of: a job may start right after its conversion. */
async function isConverted(
  { repositoryKey: configured, repositoryDirectory, stateDirectory }: KeyPlaces,
  master: MasterKey,
): Promise<boolean> {
  try {
    await unlockRepository(repositoryDirectory, master);
    return false;
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'KEY_WRONG') return false;
  }
  try {
    const reader = await openReader(
      repositoryDirectory,
      await readKey(configured!, stateDirectory),
    );
    try {
      return (await reader.formerId()) === master.repositoryId;
    } finally {
      reader.close();
    }
  } catch (error) {
    // Whatever is wrong, who uses the master key is told.
    if (error instanceof HoldfastError) return false;
    throw error;
  }
}

/** @throws KEY_REQUIRED where it cannot be had, or others may read it */
export async function readKey(
  { keyFile, passphraseFile, secret }: RepositoryKeySettings,
  stateDirectory: string,
): Promise<SlotMaterial> {
  if (keyFile !== null) return keyOf(keyFile, await readPrivateFile(keyFile));
  if (passphraseFile !== null) {
    return passphraseOf(passphraseFile, await readPrivateFile(passphraseFile));
  }
  const value = await new SecretStore(stateDirectory).read(secret!);
  if (value !== null) return passphraseOf(secret!, value);
  throw noKey(secret!, 'there is no secret of this name', 'Set it: holdfast secret set.');
}

/** 32 bytes, or the same as hex on a line. */
function keyOf(path: string, bytes: Buffer): SlotMaterial {
  if (bytes.length === KEY_BYTES) return { kind: 'keyFile', bytes };
  const hex = bytes.toString('latin1').trimEnd();
  if (/^[0-9a-fA-F]{64}$/.test(hex)) return { kind: 'keyFile', bytes: Buffer.from(hex, 'hex') };
  const hint = 'It must hold 32 bytes, or 64 hex digits.';
  throw noKey(path, `its ${bytes.length} bytes are no key`, hint);
}

/** Without the end of its line. */
function passphraseOf(name: string, bytes: Buffer): SlotMaterial {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 0x0a || bytes[end - 1] === 0x0d)) end -= 1;
  const passphrase = bytes.subarray(0, end);
  if (passphrase.includes(0x0a)) throw noKey(name, 'it has more than one line', 'Keep one.');
  if (passphrase.length >= PASSPHRASE_BYTES_MIN) return { kind: 'passphrase', bytes: passphrase };
  const hint = `Take at least ${PASSPHRASE_BYTES_MIN} bytes: whoever copies the repository can try guesses for ever.`;
  throw noKey(name, `the passphrase is only ${passphrase.length} bytes long`, hint);
}

async function readPrivateFile(path: string): Promise<Buffer> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    const state = systemCode(error) === 'ENOENT' ? 'there is no such file' : messageOf(error);
    throw noKey(path, state, 'Put the key back, or name the file where it is.', error);
  }
  try {
    const { mode, size } = await handle.stat();
    if ((mode & 0o077) !== 0) {
      const state = `others may read or change it (mode ${(mode & 0o777).toString(8)})`;
      throw noKey(path, state, 'Make it private: chmod 600.');
    }
    if (size > FILE_BYTES_MAX) throw noKey(path, 'it is too large for a key', 'Name another file.');
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

function noKey(path: string, state: string, hint: string, cause?: unknown): HoldfastError {
  return cannot('KEY_REQUIRED', 'read key', path, state, { hint, cause });
}
