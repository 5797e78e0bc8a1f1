import {
  closeSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';

/** Ways in which a file goes bad on a disk, or by a hand. */
export const DAMAGES = [
  'bit flipped',
  'bytes changed',
  'sector zeroed',
  'truncated',
  'garbage appended',
  'swapped',
  'older version',
  'deleted',
] as const;
export type Damage = (typeof DAMAGES)[number];

/** A seeded generator (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const chosenOf = <Item>(random: () => number, items: readonly Item[]): Item =>
  items[Math.floor(random() * items.length)]!;

const SECTOR_BYTES = 512;

export interface DamageAids {
  /** Another file of its kind and size. */
  readonly twin: string | null;
  /** The same file as it was some snapshots ago. */
  readonly older: string | null;
}

/** Damages a file in place; false where this cannot be done to it, or changes nothing. */
export function damageFile(
  path: string,
  damage: Damage,
  random: () => number,
  { twin, older }: DamageAids,
): boolean {
  const before = readFileSync(path);
  const at = Math.floor(random() * before.length);
  switch (damage) {
    case 'bit flipped':
      if (before.length === 0) return false;
      overwrite(path, at, Buffer.from([before[at]! ^ (1 << Math.floor(random() * 8))]));
      break;
    case 'bytes changed': {
      const count = Math.min(1 + Math.floor(random() * 64), before.length - at);
      const bytes = Buffer.from(before.subarray(at, at + count));
      for (let index = 0; index < count; index += 1) {
        bytes[index] = bytes[index]! ^ (1 + Math.floor(random() * 255));
      }
      overwrite(path, at, bytes);
      break;
    }
    case 'sector zeroed': {
      const start = at - (at % SECTOR_BYTES);
      overwrite(path, start, Buffer.alloc(Math.min(SECTOR_BYTES, before.length - start)));
      break;
    }
    case 'truncated':
      truncate(path, at);
      break;
    case 'garbage appended': {
      const garbage = Buffer.alloc(1 + Math.floor(random() * 5_000));
      for (let index = 0; index < garbage.length; index += 1) garbage[index] = random() * 256;
      overwrite(path, before.length, garbage);
      break;
    }
    case 'swapped': {
      if (twin === null) return false;
      const other = readFileSync(twin);
      writeFileSync(path, other);
      writeFileSync(twin, before);
      break;
    }
    case 'older version':
      if (older === null) return false;
      writeFileSync(path, readFileSync(older));
      break;
    case 'deleted':
      rmSync(path);
      return true;
  }
  return statSync(path).size !== before.length || !readFileSync(path).equals(before);
}

function overwrite(path: string, offset: number, bytes: Buffer): void {
  const descriptor = openSync(path, 'r+');
  writeSync(descriptor, bytes, 0, bytes.length, offset);
  closeSync(descriptor);
}

function truncate(path: string, length: number): void {
  const descriptor = openSync(path, 'r+');
  ftruncateSync(descriptor, length);
  closeSync(descriptor);
}
