import { PACK_BYTES_TARGET } from '../format/bounds.ts';
import type { PackUse } from './live-objects.ts';

/** What becomes of packs, those that are too young left out. */
export interface PackChoice {
  readonly drop: readonly PackUse[];
  readonly rewrite: readonly PackUse[];
}

/** Packs below this are merged, where there is more than one of them. */
const SMALL_BYTES = PACK_BYTES_TARGET / 2;

export function chooseRewrites(packs: readonly PackUse[], unusedShare: number): PackChoice {
  const drop = packs.filter(({ liveObjects }) => liveObjects === 0);
  const used = packs.filter(({ liveObjects }) => liveObjects > 0);
  const small = used.filter(({ bytes }) => bytes < SMALL_BYTES);
  const wasteful = (pack: PackUse): boolean => 1 - pack.liveBytes / pack.bytes > unusedShare;
  const merges = small.length > 1;
  return {
    drop,
    rewrite: used.filter((pack) => wasteful(pack) || (merges && pack.bytes < SMALL_BYTES)),
  };
}
