import type { Activity } from '../../kernel/activity.ts';
import { HoldfastError, messageOf } from '../../kernel/errors.ts';
import { shortId } from '../../kernel/ids.ts';
import type { StoreReader } from '../store.ts';
import { SnapshotWalker } from './walk-snapshot.ts';

export interface SnapshotVerification {
  readonly snapshotId: string;
  readonly ok: boolean;
  readonly level: 'shallow' | 'deep';
  /** One line each, at most FINDINGS_MAX; empty when ok. */
  readonly findings: readonly string[];
  /** All findings, also those beyond the bound. */
  readonly findingsCount: number;
  readonly files: number;
  /** Distinct chunks looked at. */
  readonly chunks: number;
  /** Plaintext bytes read and hashed; 0 when shallow. */
  readonly readBytes: number;
}

const FINDINGS_MAX = 100;
const READS_AT_ONCE = 8;

/**
 * Whether a snapshot can be restored. Shallow: manifest, trees and nodes are read and hashed, every chunk is
 * known. Deep: every chunk is read, decoded and hashed besides. Damage is a finding, not an error.
 * @throws NOT_FOUND
 */
export async function verifySnapshot(
  reader: StoreReader,
  id: string,
  options: { deep: boolean },
  activity: Activity,
): Promise<SnapshotVerification> {
  const verification = new Verification(reader, options.deep, activity);
  await verification.run(id);
  return verification.result(id);
}

class Verification {
  readonly #reader: StoreReader;
  readonly #deep: boolean;
  readonly #activity: Activity;
  readonly #findings: string[] = [];
  readonly #seen = new Set<string>();
  readonly #reading = new Set<Promise<void>>();
  #findingsCount = 0;
  #files = 0;
  #readBytes = 0;

  constructor(reader: StoreReader, deep: boolean, activity: Activity) {
    this.#reader = reader;
    this.#deep = deep;
    this.#activity = activity;
  }

  async run(id: string): Promise<void> {
    try {
      const manifest = await this.#reader.readManifest(id);
      const walker = new SnapshotWalker(
        (object) => this.#reader.readChunk(object),
        this,
        this.#activity,
      );
      const { files, databases, totalBytes } = manifest.statistics;
      const counts = { filesDone: 0, totalFiles: files + databases, bytesDone: 0, totalBytes };
      this.#activity.progress({ phase: `verify ${shortId(id)}`, ...counts });
      await walker.walk(manifest);
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code === 'NOT_FOUND') throw error;
      this.damaged('manifest', error);
    } finally {
      await Promise.all(this.#reading);
    }
  }

  result(snapshotId: string): SnapshotVerification {
    return {
      snapshotId,
      ok: this.#findingsCount === 0,
      level: this.#deep ? 'deep' : 'shallow',
      findings: this.#findings,
      findingsCount: this.#findingsCount,
      files: this.#files,
      chunks: this.#seen.size,
      readBytes: this.#readBytes,
    };
  }

  async chunk(id: string, path: string, expectedBytes: number): Promise<void> {
    if (this.#seen.has(id)) return;
    this.#seen.add(id);
    if (!this.#deep) {
      if (!(await this.#reader.holds(id))) this.#find(`${path}: chunk ${id} is in no pack`);
      return;
    }
    this.#activity.signal.throwIfAborted();
    while (this.#reading.size >= READS_AT_ONCE) await Promise.race(this.#reading);
    const reading = this.#readChunk(id, path, expectedBytes).finally(() =>
      this.#reading.delete(reading),
    );
    this.#reading.add(reading);
  }

  damaged(path: string, error: HoldfastError): void {
    this.#find(`${path}: ${error.message}`);
  }

  file(path: string): void {
    this.#files += 1;
    this.#activity.progress({ currentFile: path, filesDone: this.#files });
  }

  async #readChunk(id: string, path: string, expectedBytes: number): Promise<void> {
    try {
      const chunk = await this.#reader.readChunk(id);
      this.#readBytes += chunk.length;
      this.#activity.progress({ bytesDone: this.#readBytes });
      if (chunk.length !== expectedBytes) {
        this.#find(`${path}: chunk ${id} is ${chunk.length} bytes long, not ${expectedBytes}`);
      }
    } catch (error) {
      this.#find(`${path}: ${messageOf(error)}`);
    }
  }

  #find(finding: string): void {
    this.#findingsCount += 1;
    if (this.#findings.length < FINDINGS_MAX) this.#findings.push(finding);
  }
}
