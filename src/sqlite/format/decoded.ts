/** Why bytes are not what they should be, and where: an offset into the buffer that was decoded. */
export interface DecodeFault {
  readonly ok: false;
  readonly fault: string;
  readonly offset: number;
}

/** What every decoder of this folder returns: they never throw, whatever the bytes. */
export type Decoded<T> = ({ readonly ok: true } & T) | DecodeFault;

export function faultAt(offset: number, fault: string): DecodeFault {
  return { ok: false, fault, offset };
}
