import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { EMPTY_NOTES } from '../manifests/manifest.ts';
import { type CheckReport, checkRepository, type KeyMaterial, openReader } from '../repository.ts';
import type { StoreReader } from '../store.ts';
import { encryptedRepository, testKey } from './encrypted-repository.ts';
import {
  activity,
  type CommittedFile,
  commitFile,
  fileOf,
  noiseBytes,
  rowBytes,
  scratchFolder,
  type Writer,
  writerOf,
} from './scratch-repository.ts';

/** Names and content that must stand nowhere in the open. */
export const PLANTED = [
  'Geheimnis-Blauwal',
  'pflaumenkuchen.sqlite',
  'Quelle-Zitronenfalter',
  'etikett-morgentau',
] as const;

const first = Buffer.concat([rowBytes(200_000), Buffer.from(PLANTED[0]), noiseBytes(300_000, 3)]);
const second = Buffer.from(first);
second.write('a changed row', 70_000);
export const IMAGES = [first, second] as const;

/** An encrypted repository with a snapshot of each of IMAGES, the second one a delta, and notes on both. */
export class EncryptedSnapshots {
  readonly path: string;
  readonly snapshots: readonly CommittedFile[];
  readonly dispose: () => Promise<void>;

  private constructor(
    path: string,
    snapshots: readonly CommittedFile[],
    dispose: () => Promise<void>,
  ) {
    this.path = path;
    this.snapshots = snapshots;
    this.dispose = dispose;
  }

  static async create(): Promise<EncryptedSnapshots> {
    const { path, dispose } = await encryptedRepository();
    const snapshots: CommittedFile[] = [];
    for (const [at, image] of IMAGES.entries()) {
      const writer = await writerOf(path, { key: testKey });
      snapshots.push(await commitFile(writer, image, snapshots[0]?.content ?? null, at));
      const tags = [`${PLANTED[3]}-${at}`];
      await writer.writeNotes(snapshots[at]!.id, { ...EMPTY_NOTES, tags, pinned: at === 0 });
      await writer.close();
    }
    return new EncryptedSnapshots(path, snapshots, dispose);
  }

  open(at: string = this.path, key: KeyMaterial | null = testKey): Promise<StoreReader> {
    return openReader(at, key);
  }

  check(at: string = this.path): Promise<CheckReport> {
    return checkRepository(at, { readData: 'all', key: testKey }, activity);
  }

  writer(at: string = this.path): Promise<Writer> {
    return writerOf(at, { key: testKey });
  }

  async withCopy(run: (copy: string) => Promise<void>): Promise<void> {
    const folder = await scratchFolder();
    const copy = join(folder.path, 'copy');
    try {
      await cp(this.path, copy, { recursive: true });
      await run(copy);
    } finally {
      await folder.dispose();
    }
  }

  /** Whatever was done to it: a snapshot is read as it was, or refused, never read as something else. */
  async neverWrong(copy: string): Promise<{ right: number; refused: number }> {
    const seen = { right: 0, refused: 0 };
    let reader: StoreReader;
    try {
      reader = await this.open(copy);
    } catch (error) {
      expect(error).toHaveProperty('hint');
      return { right: 0, refused: this.snapshots.length };
    }
    for (const [index, { id }] of this.snapshots.entries()) {
      try {
        expect((await fileOf(reader, id)).equals(IMAGES[index]!)).toBe(true);
        seen.right += 1;
      } catch (error) {
        expect((error as { code?: string }).code, String(error)).toMatch(/^[A-Z_]+$/);
        seen.refused += 1;
      }
    }
    reader.close();
    return seen;
  }
}
