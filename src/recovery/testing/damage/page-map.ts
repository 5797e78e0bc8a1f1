import type { TextEncoding } from '../../../sqlite/header.ts';
import { type PageImage, payloadLayout, readVarint } from './page-image.ts';

/** Which page of a sound database belongs to what, and which rows cannot do without it. */

export interface TreeRoot {
  readonly name: string;
  readonly rootPage: number;
  readonly withoutRowid: boolean;
}

export interface PageFacts {
  readonly page: number;
  /** Name of the table or index. */
  readonly owner: string;
  readonly isIndex: boolean;
  readonly role: 'root' | 'interior' | 'leaf' | 'overflow';
  /** True for a root that has children. */
  readonly hasChildren: boolean;
  /** Keys as `Rows` has them; empty for indexes and for interior pages that hold no rows. */
  readonly rows: readonly string[];
}

interface Visit {
  readonly page: number;
  readonly role: 'root' | 'interior' | 'leaf';
}

class TreeWalk {
  readonly found: PageFacts[] = [];
  readonly #image: PageImage;
  readonly #tree: TreeRoot;
  readonly #encoding: TextEncoding;

  constructor(image: PageImage, tree: TreeRoot, encoding: TextEncoding) {
    this.#image = image;
    this.#tree = tree;
    this.#encoding = encoding;
  }

  run(): PageFacts[] {
    this.#visit({ page: this.#tree.rootPage, role: 'root' });
    return this.found;
  }

  #visit({ page, role }: Visit): void {
    const bytes = this.#image.page(page);
    const start = page === 1 ? 100 : 0;
    const type = bytes[start]!;
    const isInterior = type === 2 || type === 5;
    const isIndex = type === 2 || type === 10;
    const cells = bytes.readUInt16BE(start + 3);
    const rows: string[] = [];
    const children: number[] = [];
    for (let cell = 0; cell < cells; cell += 1) {
      let at = bytes.readUInt16BE(start + (isInterior ? 12 : 8) + cell * 2);
      if (isInterior) {
        children.push(bytes.readUInt32BE(at));
        at += 4;
      }
      if (type !== 5) rows.push(...this.#readCell(bytes, at, isIndex));
    }
    if (isInterior) children.push(bytes.readUInt32BE(start + 8));
    this.#add(page, { role, hasChildren: isInterior, rows }, isIndex);
    for (const child of children) {
      const childType = this.#image.page(child)[0];
      this.#visit({ page: child, role: childType === 2 || childType === 5 ? 'interior' : 'leaf' });
    }
  }

  #add(
    page: number,
    facts: Pick<PageFacts, 'role' | 'hasChildren' | 'rows'>,
    isIndexTree: boolean,
  ): void {
    const { name, withoutRowid } = this.#tree;
    this.found.push({ page, owner: name, isIndex: isIndexTree && !withoutRowid, ...facts });
  }

  /** The cell's key, where it is a row; its overflow pages are added. */
  #readCell(bytes: Buffer, start: number, isIndex: boolean): string[] {
    const payload = readVarint(bytes, start);
    let at = payload.next;
    let key: string | null = null;
    if (!isIndex) {
      const rowid = readVarint(bytes, at);
      key = `i${rowid.value}`;
      at = rowid.next;
    } else if (this.#tree.withoutRowid) key = this.#firstText(bytes, at);
    const rows = key === null ? [] : [key];
    const layout = payloadLayout(payload.value, this.#image.pageBytes, isIndex);
    if (layout.overflows) {
      this.#addOverflow(bytes.readUInt32BE(at + layout.localBytes), rows, isIndex);
    }
    return rows;
  }

  #addOverflow(first: number, rows: readonly string[], isIndex: boolean): void {
    for (let page = first; page !== 0; page = this.#image.page(page).readUInt32BE(0)) {
      this.#add(page, { role: 'overflow', hasChildren: false, rows }, isIndex);
    }
  }

  /** The first column of a record, where it is text. */
  #firstText(bytes: Buffer, start: number): string | null {
    const headerBytes = readVarint(bytes, start);
    const serial = readVarint(bytes, headerBytes.next);
    if (serial.value < 13 || serial.value % 2 === 0) return null;
    const at = start + headerBytes.value;
    const text = Buffer.from(bytes.subarray(at, at + (serial.value - 13) / 2));
    if (this.#encoding === 'UTF-8') return `t${JSON.stringify(text.toString('utf8'))}`;
    if (this.#encoding === 'UTF-16be') text.swap16();
    return `t${JSON.stringify(text.toString('utf16le'))}`;
  }
}

export class PageMap {
  readonly pages: readonly PageFacts[];
  readonly freelistTrunks: readonly number[];
  /** Pages that belong to no tree and are no trunk: free leaves and pointer maps. */
  readonly others: readonly number[];

  constructor(image: PageImage, roots: readonly TreeRoot[], encoding: TextEncoding) {
    this.pages = roots.flatMap((root) => new TreeWalk(image, root, encoding).run());
    const trunks: number[] = [];
    let trunk = image.page(1).readUInt32BE(32);
    while (trunk !== 0) {
      trunks.push(trunk);
      trunk = image.page(trunk).readUInt32BE(0);
    }
    this.freelistTrunks = trunks;
    const known = new Set([...this.pages.map(({ page }) => page), ...trunks]);
    this.others = Array.from({ length: image.pageCount }, (_, index) => index + 1).filter(
      (page) => !known.has(page),
    );
  }

  /** Rows, by table, that have bytes on any of these pages. */
  rowsOn(pages: ReadonlySet<number>): ReadonlyMap<string, ReadonlySet<string>> {
    const rows = new Map<string, Set<string>>();
    for (const facts of this.pages) {
      if (!pages.has(facts.page) || facts.isIndex) continue;
      const keys = rows.get(facts.owner) ?? new Set();
      for (const key of facts.rows) keys.add(key);
      rows.set(facts.owner, keys);
    }
    return rows;
  }
}
