import { lstat } from 'node:fs/promises';
import { systemCode } from '../kernel/errors.ts';

/** A database and the files SQLite keeps beside it: they mean nothing without each other. */
export interface FamilyPaths {
  readonly main: string;
  readonly wal: string;
  readonly shm: string;
  readonly journal: string;
}

export const SIDECAR_SUFFIXES = ['-wal', '-shm', '-journal'] as const;
export type SidecarSuffix = (typeof SIDECAR_SUFFIXES)[number];

export function familyPaths(path: string): FamilyPaths {
  return { main: path, wal: `${path}-wal`, shm: `${path}-shm`, journal: `${path}-journal` };
}

/** Splits a name such as `app.db-wal`; null for a name that is no sidecar's. The main file need not exist. */
export function isSidecarName(name: string): { main: string; suffix: SidecarSuffix } | null {
  for (const suffix of SIDECAR_SUFFIXES) {
    if (name.length > suffix.length && name.endsWith(suffix)) {
      return { main: name.slice(0, -suffix.length), suffix };
    }
  }
  return null;
}

/** What `stat` says of one member; times and numbers in decimal, since they exceed 2^53. */
export interface MemberStat {
  readonly bytes: number;
  readonly mtimeNs: bigint;
  readonly device: bigint;
  readonly inode: bigint;
}

export interface FamilyStat {
  readonly main: MemberStat | null;
  readonly wal: MemberStat | null;
  readonly shm: MemberStat | null;
  readonly journal: MemberStat | null;
}

/** Opens nothing, so no lock can be lost. A missing member, or one that is no regular file, is null. */
export async function statFamily(path: string): Promise<FamilyStat> {
  const paths = familyPaths(path);
  const [main, wal, shm, journal] = await Promise.all([
    statMember(paths.main),
    statMember(paths.wal),
    statMember(paths.shm),
    statMember(paths.journal),
  ]);
  return { main, wal, shm, journal };
}

async function statMember(path: string): Promise<MemberStat | null> {
  try {
    const stat = await lstat(path, { bigint: true });
    if (!stat.isFile()) return null;
    return {
      bytes: Number(stat.size),
      mtimeNs: stat.mtimeNs,
      device: stat.dev,
      inode: stat.ino,
    };
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return null;
    throw error;
  }
}

/** True when no member that holds content was written, replaced, made or removed between the two. */
export function sameFamilyContent(left: FamilyStat, right: FamilyStat): boolean {
  return (
    sameMember(left.main, right.main) &&
    sameMember(left.wal, right.wal) &&
    sameMember(left.journal, right.journal)
  );
}

function sameMember(left: MemberStat | null, right: MemberStat | null): boolean {
  if (left === null || right === null) return left === right;
  return (
    left.bytes === right.bytes &&
    left.mtimeNs === right.mtimeNs &&
    left.device === right.device &&
    left.inode === right.inode
  );
}
