import type { Catalog } from '../catalog/catalog.ts';
import { listPacks, soundOnly } from '../catalog/load-packs.ts';
import type { ObjectIndex } from '../catalog/object-index.ts';
import type { Layout } from '../layout.ts';
import { packPath } from '../layout.ts';
import { readPackIndex } from '../packs/pack-index.ts';
import { packOwner } from '../packs/pack-owner.ts';
import { type KnownDamage, NO_DAMAGE, readKnownDamage, writeKnownDamage } from './known-damage.ts';

export interface LedgerParts {
  readonly layout: Layout;
  readonly repositoryId: string;
  readonly catalog: Catalog;
  readonly index: ObjectIndex;
}

/** What a writer knows to be damaged, and what of it becomes whole by what it stores. */
export class DamageLedger {
  readonly #parts: LedgerParts;
  readonly #records: Map<string, Set<string>>;
  readonly #missing: Set<string>;
  readonly #complete: boolean;
  #healed = 0;
  #isChanged = false;

  constructor(parts: LedgerParts) {
    this.#parts = parts;
    const known: KnownDamage = readKnownDamage(parts.layout) ?? NO_DAMAGE;
    this.#records = new Map([...known.records].map(([pack, ids]) => [pack, new Set(ids)]));
    this.#missing = new Set(known.missing);
    this.#complete = known.complete;
  }

  /** Objects that no sound record holds. */
  get missing(): ReadonlySet<string> {
    return this.#missing;
  }

  get isComplete(): boolean {
    return this.#complete;
  }

  /** Objects stored again so far that were known to be missing. */
  get healed(): number {
    return this.#healed;
  }

  /** A record was met that is not what its id says: whoever stores the object next stores it again. */
  note(id: string, pack: string): void {
    const { index } = this.#parts;
    const records = this.#records.get(pack) ?? new Set();
    this.#records.set(pack, records.add(id));
    for (const gone of [id, ...index.forget([id])]) this.#missing.add(gone);
    this.#isChanged = true;
  }

  /** Before what was stored anew counts: a catalog read again must not send anybody to the damaged records. */
  async keep(): Promise<void> {
    if (!this.#isChanged) return;
    await this.#write();
  }

  /** When everything stored is in packs: takes out what is whole again. */
  async settle(): Promise<void> {
    if (this.#missing.size === 0) return;
    const { catalog } = this.#parts;
    const whole = (): string[] => [...this.#missing].filter((id) => catalog.find(id) !== null);
    let found = whole();
    if (found.length === 0) return;
    // Deltas become readable with their base.
    if (found.length < this.#missing.size) {
      await this.#adoptAgain();
      found = whole();
    }
    for (const id of found) this.#missing.delete(id);
    this.#healed += found.length;
    await this.#write();
  }

  async #write(): Promise<void> {
    const { layout } = this.#parts;
    const present = new Set(await listPacks(layout));
    for (const pack of this.#records.keys()) if (!present.has(pack)) this.#records.delete(pack);
    const complete = this.#complete;
    await writeKnownDamage(layout, { records: this.#records, missing: this.#missing, complete });
    this.#isChanged = false;
  }

  /** Sound records of what is missing, in packs that the catalog knows. */
  async #adoptAgain(): Promise<void> {
    const { layout, repositoryId, catalog } = this.#parts;
    catalog.beginLoading();
    for (const { name } of catalog.packs()) {
      const path = packPath(layout, name);
      const { entries, bytes } = await readPackIndex(packOwner(layout, repositoryId), path);
      const sound = soundOnly(entries ?? [], this.#records.get(name));
      const wanted = sound.filter(({ id }) => this.#missing.has(id) && catalog.find(id) === null);
      if (wanted.length > 0) catalog.addPack(name, bytes, wanted);
    }
    catalog.endLoading();
  }
}
