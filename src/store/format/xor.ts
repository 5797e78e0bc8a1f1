/** XOR of `plain` with `base`, base cut or padded with zeros to the length of `plain`. A new buffer. */
export function xorWithBase(plain: Buffer, base: Buffer): Buffer {
  const result = Buffer.allocUnsafeSlow(plain.length);
  xorTo(result, plain, base);
  if (plain.length > base.length) plain.copy(result, base.length, base.length);
  return result;
}

/** The same in place: `bytes` becomes its XOR with `base`. */
export function xorInPlace(bytes: Buffer, base: Buffer): void {
  xorTo(bytes, bytes, base);
}

/** As far as both go. */
function xorTo(result: Buffer, plain: Buffer, base: Buffer): void {
  const shared = Math.min(plain.length, base.length);
  const words = aligned(plain) && aligned(base) && aligned(result) ? shared >>> 2 : 0;
  if (words > 0) {
    const from = new Uint32Array(plain.buffer, plain.byteOffset, words);
    const other = new Uint32Array(base.buffer, base.byteOffset, words);
    const to = new Uint32Array(result.buffer, result.byteOffset, words);
    for (let index = 0; index < words; index += 1) to[index] = from[index]! ^ other[index]!;
  }
  for (let index = words * 4; index < shared; index += 1) {
    result[index] = plain[index]! ^ base[index]!;
  }
}

const aligned = (buffer: Buffer): boolean => buffer.byteOffset % 4 === 0;

/** How many of the bytes at which two buffers are compared differ, by a sample of one in 61: 0 to 1. */
export function differingShare(plain: Buffer, base: Buffer): number {
  let differing = 0;
  let compared = 0;
  for (let index = 0; index < plain.length; index += 61) {
    compared += 1;
    if (plain[index] !== base[index]) differing += 1;
  }
  return compared === 0 ? 0 : differing / compared;
}
