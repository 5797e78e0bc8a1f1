import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { beforeRead } from '../../files/bandwidth.ts';
import type { Activity } from '../../kernel/activity.ts';
import { HoldfastError, isSystemError, systemCode } from '../../kernel/errors.ts';
import { Catalog } from '../catalog/catalog.ts';
import { listPacks } from '../catalog/load-packs.ts';
import { ObjectReader, type PendingObjects, type StoredRecord } from '../chunks/object-reader.ts';
import { PACK_BYTES_MAX } from '../format/bounds.ts';
import { decodeRecordHeader } from '../format/record.ts';
import { type Layout, packPath } from '../layout.ts';
import { PackFiles } from '../packs/pack-files.ts';
import { type PlacedRecord, recordsOf } from '../packs/pack-records.ts';
import { inParallel } from '../threads/in-parallel.ts';

export interface DamagedPack {
  readonly name: string;
  /** All that can be told from its index, or else from what it looks like. */
  readonly records: number;
  /** Ids of those that do not hold what they say. */
  readonly bad: ReadonlySet<string>;
}

export interface PackSurvey {
  readonly damaged: ReadonlyMap<string, DamagedPack>;
  /** Every sound record that can be read. The caller closes it. */
  readonly index: Catalog;
  /** Sound records of which only the header is damaged: they are read by what the pack's index says. */
  readonly headless: PendingObjects;
  readonly packsRead: number;
  readonly readBytes: number;
}

interface Looked {
  readonly bytes: number;
  readonly records: readonly PlacedRecord[];
  readonly isIntact: boolean;
  readonly bad: readonly string[];
  /** Deltas that cannot be judged, because their base could not be read. */
  readonly undecided: readonly string[];
}

const RECORDS_AT_ONCE = 48;
/** More are not kept in memory; they count as damaged. */
const HEADLESS_MAX = 256;
const NOTHING: Looked = { bytes: 0, records: [], isIntact: false, bad: [], undecided: [] };

/** Reads every pack whole, those with damage twice, and tells each record that is not what it says. */
export async function surveyPacks(
  layout: Layout,
  repositoryId: string,
  activity: Activity,
): Promise<PackSurvey> {
  const survey = new Survey(layout, repositoryId, activity);
  try {
    return await survey.run();
  } finally {
    survey.close();
  }
}

class Survey {
  readonly #layout: Layout;
  readonly #repositoryId: string;
  readonly #activity: Activity;
  readonly #files: PackFiles;
  /** Whatever says that it is a record. */
  readonly #claimed: Catalog;
  readonly #headless = new Map<string, StoredRecord>();

  constructor(layout: Layout, repositoryId: string, activity: Activity) {
    this.#layout = layout;
    this.#repositoryId = repositoryId;
    this.#activity = activity;
    this.#files = new PackFiles(layout);
    this.#claimed = Catalog.temporary(repositoryId);
  }

  close(): void {
    this.#files.close();
    this.#claimed.close();
  }

  async run(): Promise<PackSurvey> {
    const names = await listPacks(this.#layout);
    for (const name of names) await this.#load(this.#claimed, name, new Set());
    const looked = new Map<string, Looked>();
    const objects = this.#readerOver(this.#claimed);
    let readBytes = 0;
    for (const [filesDone, name] of names.entries()) {
      this.#activity.signal.throwIfAborted();
      this.#activity.progress({ phase: 'survey packs', filesDone, totalFiles: names.length });
      let found = await this.#look(name, objects);
      // Once more: a disk, a cable or a memory that fails now and then is not damage that stays.
      if (isSuspect(found)) found = await this.#look(name, objects);
      looked.set(name, found);
      readBytes += found.bytes;
    }
    const index = Catalog.temporary(this.#repositoryId);
    try {
      const damaged = await this.#judge(looked, index);
      return { damaged, index, headless: this.#pending(), packsRead: names.length, readBytes };
    } catch (error) {
      index.close();
      throw error;
    }
  }

  /** Deltas whose base was damaged are judged again: it may stand elsewhere. */
  async #judge(
    looked: ReadonlyMap<string, Looked>,
    index: Catalog,
  ): Promise<Map<string, DamagedPack>> {
    const damaged = new Map<string, DamagedPack>();
    index.beginLoading();
    for (const [name, { bad }] of looked) await this.#load(index, name, new Set(bad));
    index.endLoading();
    const objects = this.#readerOver(index);
    for (const [name, found] of looked) {
      if (!isSuspect(found)) continue;
      const bad = new Set(found.bad);
      if (found.undecided.length > 0) {
        for (const id of (await this.#look(name, objects)).bad) bad.add(id);
        index.forget([...bad].filter((id) => index.find(id)?.pack === name));
      }
      const isSound = found.isIntact && bad.size === 0;
      if (!isSound) damaged.set(name, { name, records: found.records.length, bad });
    }
    return damaged;
  }

  async #load(catalog: Catalog, name: string, without: ReadonlySet<string>): Promise<void> {
    const pack = await this.#read(name);
    if (pack === null) return;
    const entries = recordsOf(this.#layout, this.#repositoryId, pack)
      .map(({ fields, offset }) => ({ ...fields, offset }))
      .filter(({ id }) => !without.has(id));
    catalog.addPack(name, pack.length, entries);
  }

  async #look(name: string, objects: ObjectReader): Promise<Looked> {
    const pack = await this.#read(name);
    if (pack === null) return NOTHING;
    const records = recordsOf(this.#layout, this.#repositoryId, pack);
    const bad: string[] = [];
    const undecided: string[] = [];
    await inParallel(records, RECORDS_AT_ONCE, async (record) => {
      let verdict = await judge(record, objects);
      if (verdict === 'sound' && !this.#hasHeader(pack, record)) verdict = 'bad';
      if (verdict === 'bad') bad.push(record.fields.id);
      if (verdict === 'undecided') undecided.push(record.fields.id);
    });
    const isIntact = createHash('sha256').update(pack).digest('hex') === name;
    return { bytes: pack.length, records, isIntact, bad, undecided };
  }

  /** True where it can be read as any other, or is kept. */
  #hasHeader(pack: Buffer, { offset, fields, stored }: PlacedRecord): boolean {
    if (decodeRecordHeader(pack, offset)?.id === fields.id) return true;
    if (!this.#headless.has(fields.id) && this.#headless.size >= HEADLESS_MAX) return false;
    this.#headless.set(fields.id, { fields, stored: Buffer.from(stored) });
    return true;
  }

  #pending(): PendingObjects {
    return { pendingRecord: (id) => this.#headless.get(id) ?? null, pendingPlain: () => null };
  }

  /** Null for what is longer than any pack, or cannot be read at all. */
  async #read(name: string): Promise<Buffer | null> {
    const path = packPath(this.#layout, name);
    try {
      const { size } = await stat(path);
      if (size > PACK_BYTES_MAX) return null;
      await beforeRead(size);
      return await readFile(path);
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      return null;
    }
  }

  #readerOver(catalog: Catalog): ObjectReader {
    const find = (id: string) => catalog.find(id);
    const locator = { find, findAgain: async (id: string) => find(id) };
    return new ObjectReader(locator, this.#files, this.#layout.keys, this.#pending());
  }
}

const isSuspect = ({ isIntact, bad, undecided }: Looked): boolean =>
  !isIntact || bad.length > 0 || undecided.length > 0;

async function judge(
  record: StoredRecord,
  objects: ObjectReader,
): Promise<'sound' | 'bad' | 'undecided'> {
  try {
    await objects.verify(record);
    return 'sound';
  } catch (error) {
    if (isSystemError(error)) throw error;
    const { base } = record.fields;
    const isOfBase = error instanceof HoldfastError && base !== null && namesObject(error, base);
    return isOfBase ? 'undecided' : 'bad';
  }
}

const namesObject = ({ details, message }: HoldfastError, id: string): boolean =>
  details?.['object'] === id || message.includes(id);
