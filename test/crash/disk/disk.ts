import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { RecordedCall } from '../recorder/write-log.ts';
import {
  type DirectoryNode,
  type EntryEffect,
  type FileNode,
  makeDirectoryNode,
  makeFileNode,
  type Node,
  type SymlinkNode,
} from './nodes.ts';

/**
 * A disk, and the memory in front of it: what the processes of a run see (`live`), what a power cut cannot take
 * (`durable`), and the effects in between, in the order of the calls that had them.
 *
 * Assumed of the file system is what POSIX grants and no more:
 *   fsync of a file        makes its content and size durable, not its name
 *   fsync of a directory   makes the names in it durable, not what they stand for
 *   rename in a directory  is one effect; from one directory to another it is two, of which the removal is never
 *                          durable without the addition (so that both names may be there, never none of them)
 *   anything else          is durable alone or not at all, in any order, data in sectors of 512 bytes
 * Modes are taken as durable at once, for no promise rests on one. Times are not looked at.
 */
export class Disk {
  readonly root: DirectoryNode;
  readonly #byInode = new Map<string, Node>();

  private constructor(root: DirectoryNode) {
    this.root = root;
  }

  /** A tree at rest: everything in it is durable. */
  static of(path: string): Disk {
    const disk = new Disk(makeDirectoryNode(lstatSync(path).mode & 0o7777));
    disk.#take(path, disk.root);
    return disk;
  }

  #take(path: string, directory: DirectoryNode): void {
    for (const name of readdirSync(path)) {
      if (name.endsWith('-shm')) continue;
      const node = this.#nodeAt(join(path, name));
      directory.live.set(name, node);
      directory.durable.set(name, node);
      if (node.kind === 'directory') this.#take(join(path, name), node);
    }
  }

  #nodeAt(path: string): Node {
    const status = lstatSync(path, { bigint: true });
    const inode = String(status.ino);
    const mode = Number(status.mode) & 0o7777;
    if (status.isDirectory()) return makeDirectoryNode(mode);
    const known = this.#byInode.get(inode);
    if (known !== undefined) return known;
    const node: Node = status.isSymbolicLink()
      ? { kind: 'symlink', inode, target: readlinkSync(path) }
      : makeFileNode(inode, mode, readFileSync(path));
    this.#byInode.set(inode, node);
    return node;
  }

  apply(call: RecordedCall): void {
    switch (call.operation) {
      case 'acknowledge':
        break;
      case 'make-file':
        this.#make(call.path, makeFileNode(call.inode, call.mode, Buffer.alloc(0)));
        break;
      case 'make-directory':
        this.#make(call.path, makeDirectoryNode(call.mode));
        break;
      case 'make-symlink':
        this.#make(call.path, symlinkOf(call));
        break;
      case 'link':
        this.#enter(call.path, this.#inode(call.inode));
        break;
      case 'rename':
        this.#rename(call.from, call.to);
        break;
      case 'unlink':
      case 'remove-directory':
        this.#leave(call.path);
        break;
      case 'write':
        this.#file(call.inode).change({ offset: call.offset, bytes: call.bytes });
        break;
      case 'set-size':
        this.#file(call.inode).change({ size: call.size });
        break;
      case 'change-mode':
        this.#changeMode(call);
        break;
      case 'sync-file':
        this.#file(call.inode).sync();
        break;
      case 'sync-directory':
        this.#directory(call.path)?.sync();
        break;
    }
  }

  #inode(inode: string): Node {
    const node = this.#byInode.get(inode);
    if (node === undefined) throw new Error(`Nothing was recorded of inode ${inode}`);
    return node;
  }

  #file(inode: string): FileNode {
    const node = this.#inode(inode);
    if (node.kind !== 'file') throw new Error(`Inode ${inode} is no file`);
    return node;
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.root;
    for (const name of path.split('/').filter(Boolean)) {
      node = node?.kind === 'directory' ? node.live.get(name) : undefined;
    }
    return node;
  }

  /** Undefined for a directory that was removed while it was open. */
  #directory(path: string): DirectoryNode | undefined {
    const node = this.#find(path);
    return node?.kind === 'directory' ? node : undefined;
  }

  #parent(path: string): DirectoryNode {
    const parent = this.#directory(dirname(path) === '.' ? '' : dirname(path));
    if (parent === undefined) throw new Error(`Nothing was recorded of the directory of ${path}`);
    return parent;
  }

  #make(path: string, node: Node): void {
    if (node.kind !== 'directory') this.#byInode.set(node.inode, node);
    this.#enter(path, node);
  }

  #enter(path: string, node: Node): void {
    this.#parent(path).change({ remove: null, put: { name: basename(path), node }, after: null });
  }

  #leave(path: string): void {
    this.#parent(path).change({ remove: basename(path), put: null, after: null });
  }

  #rename(from: string, to: string): void {
    const node = this.#find(from);
    if (node === undefined) throw new Error(`Nothing was recorded of ${from}`);
    const [left, right] = [this.#parent(from), this.#parent(to)];
    const put = { name: basename(to), node };
    if (left === right) {
      left.change({ remove: basename(from), put, after: null });
      return;
    }
    const added: EntryEffect = { remove: null, put, after: null };
    right.change(added);
    left.change({
      remove: basename(from),
      put: null,
      after: { effect: added, directory: right },
    });
  }

  #changeMode({ inode, mode, path }: RecordedCall & { operation: 'change-mode' }): void {
    const node = this.#byInode.get(inode) ?? this.#find(path);
    if (node !== undefined && node.kind !== 'symlink') node.mode = mode;
  }
}

function symlinkOf({ inode, target }: RecordedCall & { operation: 'make-symlink' }): SymlinkNode {
  return { kind: 'symlink', inode, target };
}
