import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import Database from 'better-sqlite3';
import { testSettings, testSource } from '../../config/testing/settings.ts';
import { quietActivity } from '../../kernel/activity.ts';
import { systemClock } from '../../kernel/clock.ts';
import { HoldfastError } from '../../kernel/errors.ts';
import type { Content } from '../../store/chunks/content.ts';
import {
  addKeySlot,
  initRepository,
  openReader,
  type SlotMaterial,
} from '../../store/repository.ts';
import type { StoreReader } from '../../store/store.ts';
import { backup } from '../backup.ts';
import type { OperationContext } from '../operation.ts';
import { verify } from '../verify.ts';

/** SHA-256 by logical path. */
export type SnapshotFiles = ReadonlyMap<string, string>;

const KEY: SlotMaterial = { kind: 'keyFile', bytes: Buffer.alloc(32, 0x42) };
const OTHER_KEY: SlotMaterial = { kind: 'keyFile', bytes: Buffer.alloc(32, 0x43) };
const ROUNDS = 5;
/** Of zeros: many chunks, and so nodes above them, that take no room. */
const LONG_FILE_BYTES = 17 * 1024 * 1024;

/** A source with a repository of several snapshots that share much, to be copied and damaged. */
export class RotBench {
  readonly directory: string;
  readonly isEncrypted: boolean;
  /** By snapshot, as captured. */
  readonly truth = new Map<string, SnapshotFiles>();
  /** As listed before anything was damaged. */
  listing = '';

  private constructor(isEncrypted: boolean) {
    this.isEncrypted = isEncrypted;
    this.directory = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-rot-')));
  }

  static async create(isEncrypted: boolean): Promise<RotBench> {
    const bench = new RotBench(isEncrypted);
    await bench.#build();
    return bench;
  }

  /** One without snapshots, and whose source is empty. */
  static async empty(): Promise<RotBench> {
    const bench = new RotBench(false);
    await bench.#prepare();
    return bench;
  }

  get data(): string {
    return join(this.directory, 'data');
  }

  get template(): string {
    return join(this.directory, 'repository');
  }

  /** The repository as it was before the last snapshots. */
  get older(): string {
    return join(this.directory, 'older');
  }

  get key(): SlotMaterial | null {
    return this.isEncrypted ? KEY : null;
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** A fresh copy to be damaged. */
  copy(name: string): string {
    const to = join(this.directory, name);
    rmSync(to, { recursive: true, force: true });
    cpSync(this.template, to, { recursive: true });
    return to;
  }

  async context(repositoryDirectory: string): Promise<OperationContext> {
    const source = testSource({
      roots: [{ class: 'data', name: null, path: this.data, required: true }],
    });
    const settings = testSettings(this.directory, { repositoryDirectory, sources: [source] });
    const scratchDirectory = join(this.directory, 'scratch');
    mkdirSync(scratchDirectory, { recursive: true });
    return {
      activity: quietActivity(),
      settings: {
        ...settings,
        repositoryKey: this.isEncrypted
          ? { keyFile: this.#keyFile, passphraseFile: null, secret: null }
          : null,
      },
      clock: systemClock,
      jobId: 'job',
      scratchDirectory,
    };
  }

  get #keyFile(): string {
    return join(this.directory, 'key');
  }

  async #prepare(): Promise<void> {
    mkdirSync(join(this.data, 'notes', 'deep'), { recursive: true });
    mkdirSync(join(this.directory, 'state'), { mode: 0o700 });
    writeFileSync(this.#keyFile, KEY.kind === 'keyFile' ? KEY.bytes : '', { mode: 0o600 });
    await initRepository(this.template, { clock: systemClock, key: this.key });
  }

  async #build(): Promise<void> {
    await this.#prepare();
    const context = await this.context(this.template);
    for (let round = 0; round < ROUNDS; round += 1) {
      this.#change(round);
      const { snapshotId } = await backup.run(
        context,
        backup.params.parse({ tags: [`r${round}`] }),
      );
      this.truth.set(String(snapshotId), this.liveFiles());
      if (round === 2) cpSync(this.template, this.older, { recursive: true });
    }
    await verify.run(context, verify.params.parse({ snapshots: 'all' }));
    if (this.isEncrypted) {
      const options = { clock: systemClock, key: KEY, lockWaitMs: 10_000 };
      await addKeySlot(this.template, OTHER_KEY, options);
    }
    this.listing = await listingOf(this.template, this.key);
  }

  #change(round: number): void {
    const database = new Database(join(this.data, 'app.db'));
    database.exec('CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, body)');
    const add = database.prepare('INSERT INTO rows (body) VALUES (randomblob(900))');
    for (let row = 0; row < (round === 0 ? 300 : 12); row += 1) add.run();
    database.prepare('UPDATE rows SET body = randomblob(900) WHERE id % 97 = ?').run(round);
    database.close();
    writeFileSync(join(this.data, 'notes', `n${round}.txt`), `note ${round}\n`.repeat(40));
    writeFileSync(join(this.data, 'notes', 'deep', 'always.txt'), `round ${round}\n`);
    writeFileSync(join(this.data, 'same.bin'), Buffer.alloc(70_000, 7));
    if (round === 3 && !this.isEncrypted)
      writeFileSync(join(this.data, 'long.bin'), Buffer.alloc(LONG_FILE_BYTES));
    if (round === 4) rmSync(join(this.data, 'long.bin'), { force: true });
  }

  /** What the source holds now. */
  liveFiles(): SnapshotFiles {
    const files = new Map<string, string>();
    for (const entry of readdirSync(this.data, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      files.set(`data/${relative(this.data, path)}`, hashOfFile(path));
    }
    return files;
  }
}

const hashOfFile = (path: string): string =>
  createHash('sha256').update(readFileSync(path)).digest('hex');

export async function listingOf(path: string, key: SlotMaterial | null): Promise<string> {
  const reader = await openReader(path, key);
  try {
    return JSON.stringify(reader.listSnapshots());
  } finally {
    reader.close();
  }
}

/** One snapshot read as a restore reads it: its files, or what was said instead, by path. */
export interface RestoreAttempt {
  readonly files: SnapshotFiles;
  readonly refused: ReadonlyMap<string, HoldfastError>;
}

export async function restoreAll(reader: StoreReader, id: string): Promise<RestoreAttempt> {
  const files = new Map<string, string>();
  const refused = new Map<string, HoldfastError>();
  const attempt = async (path: string, run: () => Promise<void>): Promise<void> => {
    try {
      await run();
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      refused.set(path, error);
    }
  };
  const walk = async (tree: string, path: string): Promise<void> => {
    for (const entry of await reader.readTree(tree)) {
      const below = `${path}/${entry.name}`;
      if (entry.type === 'directory') await attempt(below, () => walk(entry.tree, below));
      if (entry.type === 'file' || entry.type === 'database') {
        await attempt(below, async () => {
          files.set(below, await hashOf(reader, entry.content));
        });
      }
    }
  };
  await attempt('', async () => {
    const manifest = await reader.readManifest(id);
    for (const { prefix, tree } of manifest.roots) {
      if (tree !== null) await attempt(prefix, () => walk(tree, prefix));
    }
  });
  return { files, refused };
}

async function hashOf(reader: StoreReader, content: Content): Promise<string> {
  const hash = createHash('sha256');
  for await (const bytes of reader.readContent(content)) hash.update(bytes);
  return hash.digest('hex');
}
