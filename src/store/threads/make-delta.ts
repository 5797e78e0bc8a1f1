import { compress } from '../format/codec.ts';
import { objectId } from '../format/object-id.ts';
import { differingShare, xorInPlace, xorWithBase } from '../format/xor.ts';
import type { BaseRecord, ByteResult, DeltaTask } from './byte-task.ts';
import { decode, scratches } from './decode.ts';

/** Above this a delta has little left to win over a full record, and only costs time. */
const DIFFERING_SHARE_MAX = 0.5;

/**
 * `id` of the result is that of the difference, null with `bytes` where they have too little in common; its only one of
 * `ids` is the base's, null where what was decoded is not that.
 */
export function makeDelta({ codec, bytes: plain, base, baseId, idKey }: DeltaTask): ByteResult {
  const decoded = decodeBase(base);
  if (decoded === null || objectId(decoded, idKey) !== baseId) {
    return { bytes: null, codec, id: null, ids: [null] };
  }
  if (differingShare(plain, decoded) > DIFFERING_SHARE_MAX) {
    return { bytes: null, codec, id: null, ids: [baseId] };
  }
  const difference = xorWithBase(plain, decoded);
  const back = scratches.plain.take(plain.length);
  difference.copy(back);
  xorInPlace(back, decoded);
  if (!back.equals(plain)) throw new Error('An object and its base do not give back the object');
  const { codec: by, stored } = compress(codec, difference);
  return { bytes: stored, codec: by, id: objectId(difference, idKey), ids: [baseId] };
}

function decodeBase(base: BaseRecord): Buffer | null {
  try {
    return decode(base, scratches.base.take(base.plainBytes));
  } catch {
    return null;
  }
}
