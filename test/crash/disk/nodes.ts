/** What stands on a disk, each with what is seen of it now, what is durable of it, and the effects in between. */
export type Node = FileNode | DirectoryNode | SymlinkNode;

export interface SymlinkNode {
  readonly kind: 'symlink';
  readonly inode: string;
  readonly target: string;
}

export type DataEffect =
  | { readonly offset: number; readonly bytes: Buffer }
  | { readonly size: number };

/** Removal and addition are one effect where both are given. */
export interface EntryEffect {
  readonly remove: string | null;
  readonly put: { readonly name: string; readonly node: Node } | null;
  /** Never durable before that effect on another directory is. */
  readonly after: { readonly effect: EntryEffect; readonly directory: DirectoryNode } | null;
}

export interface FileNode {
  readonly kind: 'file';
  readonly inode: string;
  mode: number;
  live: Buffer;
  durable: Buffer;
  pending: DataEffect[];
  change(effect: DataEffect): void;
  sync(): void;
}

export interface DirectoryNode {
  readonly kind: 'directory';
  mode: number;
  readonly live: Map<string, Node>;
  readonly durable: Map<string, Node>;
  pending: EntryEffect[];
  change(effect: EntryEffect): void;
  sync(): void;
}

/** The content after an effect; the given bytes are not changed. */
export function withData(content: Buffer, effect: DataEffect): Buffer {
  if ('size' in effect) return resized(content, effect.size);
  const { offset, bytes } = effect;
  const result = resized(content, Math.max(content.length, offset + bytes.length));
  bytes.copy(result, offset);
  return result;
}

function resized(content: Buffer, size: number): Buffer {
  const result = Buffer.alloc(size);
  content.copy(result);
  return result;
}

export function applyEntry(entries: Map<string, Node>, { remove, put }: EntryEffect): void {
  if (remove !== null) entries.delete(remove);
  if (put !== null) entries.set(put.name, put.node);
}

export function makeFileNode(inode: string, mode: number, content: Buffer): FileNode {
  return {
    kind: 'file',
    inode,
    mode,
    live: content,
    durable: content,
    pending: [],
    change(effect) {
      this.live = withData(this.live, effect);
      this.pending.push(effect);
    },
    sync() {
      this.durable = this.live;
      this.pending = [];
    },
  };
}

export function makeDirectoryNode(mode: number): DirectoryNode {
  return {
    kind: 'directory',
    mode,
    live: new Map(),
    durable: new Map(),
    pending: [],
    change(effect) {
      applyEntry(this.live, effect);
      this.pending.push(effect);
    },
    sync() {
      for (const effect of this.pending.splice(0)) settle(this, effect);
    },
  };
}

/** Makes an effect durable, and before it everything of the other directory up to what it must not precede. */
function settle(directory: DirectoryNode, effect: EntryEffect): void {
  if (effect.after !== null) {
    const { directory: other, effect: first } = effect.after;
    const place = other.pending.indexOf(first);
    for (const each of other.pending.splice(0, place + 1)) settle(other, each);
  }
  applyEntry(directory.durable, effect);
}
