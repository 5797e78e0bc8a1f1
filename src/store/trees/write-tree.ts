import { cannot } from '../../kernel/errors.ts';
import type { ObjectWriter } from '../chunks/object-writer.ts';
import type { ReadObject } from '../chunks/walk-content.ts';
import { objectId } from '../format/object-id.ts';
import { cutSegments, fitsOneTree, type ListItem } from './segment-list.ts';
import { compareNames, type TreeEntry } from './tree-entry.ts';
import { entryJson, parseTree } from './tree-schema.ts';

interface Item extends ListItem {
  /** Objects that must be stored before it. */
  readonly needs: readonly string[];
}

type TreeType = 'entries' | 'segments';

/**
 * Stores one directory; returns its tree id. `parent` is the tree that stood there in the parent snapshot: a
 * base for deltas, where the JSON kept its length.
 * @throws INVALID_PARAMS for invalid or duplicate names, REPO_CORRUPT when an object it refers to is not stored
 */
export async function writeTreeTo(
  objects: ObjectWriter,
  read: ReadObject,
  entries: readonly TreeEntry[],
  parent: string | null,
): Promise<string> {
  const sorted = [...entries].sort((left, right) => compareNames(left.name, right.name));
  let items: Item[] = sorted.map((entry, index) => {
    if (sorted[index - 1]?.name === entry.name) {
      throw cannot('INVALID_PARAMS', 'store directory', entry.name, 'the name occurs twice');
    }
    return { name: entry.name, json: entryJson(entry), needs: idsIn(entry) };
  });
  const predecessors = new TreePredecessors(parent, read);
  for (let type: TreeType = 'entries'; ; type = 'segments') {
    if (fitsOneTree(items)) return putTree(objects, type, items, predecessors);
    const above: Item[] = [];
    for (const segment of cutSegments(items)) {
      const tree = await putTree(objects, type, segment, predecessors);
      const first = segment[0]!.name;
      above.push({ name: first, json: JSON.stringify({ first, tree }), needs: [tree] });
    }
    items = above;
  }
}

function idsIn(entry: TreeEntry): readonly string[] {
  if (entry.type === 'directory') return [entry.tree];
  return entry.type === 'symlink' ? [] : entry.content.ids;
}

async function putTree(
  objects: ObjectWriter,
  type: TreeType,
  items: readonly Item[],
  predecessors: TreePredecessors,
): Promise<string> {
  const list = items.map(({ json }) => json).join(',');
  const plain = Buffer.from(
    type === 'entries'
      ? `{"entries":[${list}],"type":"entries"}`
      : `{"segments":[${list}],"type":"segments"}`,
  );
  // What an already stored tree needs was stored before it.
  if (!objects.has(objectId(plain, objects.idKey))) assertStored(objects, items);
  const first = items[0]?.name ?? '';
  return objects.put('tree', plain, () => predecessors.find(type, first));
}

function assertStored(objects: ObjectWriter, items: readonly Item[]): void {
  for (const { name, needs } of items) {
    const missing = needs.find((id) => !objects.has(id));
    if (missing === undefined) continue;
    objects.throwFailure();
    throw cannot(
      'REPO_CORRUPT',
      'store entry',
      name,
      `object ${missing} is not in the repository`,
      {
        hint: 'The parent snapshot has lost data; take a snapshot that reads everything again.',
        details: { object: missing },
      },
    );
  }
}

/** Finds the tree object that began with the same name in the parent's directory. */
class TreePredecessors {
  readonly #parent: string | null;
  readonly #read: ReadObject;
  #known: Promise<Map<string, string>> | null = null;

  constructor(parent: string | null, read: ReadObject) {
    this.#parent = parent;
    this.#read = read;
  }

  async find(type: TreeType, first: string): Promise<string | null> {
    if (this.#parent === null) return null;
    this.#known ??= this.#load(this.#parent);
    return (await this.#known).get(`${type} ${first}`) ?? null;
  }

  /** Two levels are enough: they cover directories of a million entries. */
  async #load(parent: string): Promise<Map<string, string>> {
    const known = new Map<string, string>();
    const root = parseTree(parent, await this.#read(parent));
    if (root.type === 'entries') {
      known.set(`entries ${root.entries[0]?.name ?? ''}`, parent);
      return known;
    }
    known.set(`segments ${root.segments[0]?.first ?? ''}`, parent);
    for (const { first, tree } of root.segments) {
      const child = parseTree(tree, await this.#read(tree));
      if (child.type === 'entries') {
        known.set(`entries ${first}`, tree);
        continue;
      }
      known.set(`segments ${first}`, tree);
      for (const below of child.segments) known.set(`entries ${below.first}`, below.tree);
    }
    return known;
  }
}
