import { cannot, type ErrorOptions, HoldfastError, systemCode } from '../../kernel/errors.ts';

/** Why an archive is not taken. Each is final for these bytes: nothing of them is kept. */

/** A path or a link that would reach where it should not. */
export function unsafe(path: string, state: string): HoldfastError {
  return cannot('PATH_UNSAFE', 'extract', path, state, {
    hint: 'Nothing was kept. Make the archive again with plain relative paths, each once.',
  });
}

/** Bytes that contradict each other, or end too early. */
export function damaged(thing: string, state: string, options: ErrorOptions = {}): HoldfastError {
  return cannot('VERIFY_FAILED', 'read archive', thing, state, {
    hint: 'The archive is damaged or cut off: fetch it again, or take another.',
    ...options,
  });
}

/** Something that is well formed and that Holdfast does not take. */
export function unsupported(thing: string, state: string, hint: string): HoldfastError {
  return cannot('UNSUPPORTED_FORMAT', 'read archive', thing, state, { hint });
}

/** More of something than the limits allow. */
export function tooMuch(thing: string, state: string, details: Record<string, number>): Error {
  return cannot('LIMIT_EXCEEDED', 'extract', thing, state, {
    hint: 'Nothing was kept. Raise the limit only if you know where the archive comes from.',
    details,
  });
}

/** True for what a decoder says of bytes that it cannot decode. */
export function isDecoderFailure(error: unknown): boolean {
  const code = systemCode(error) ?? '';
  return code.startsWith('Z_') || code.startsWith('ZSTD_') || code === 'ERR_BUFFER_TOO_LARGE';
}

/** Failures of decoders as VERIFY_FAILED; every other error as it is. */
export function asRefusal(error: unknown, thing: string): unknown {
  if (error instanceof HoldfastError || !isDecoderFailure(error)) return error;
  return damaged(thing, `its compressed bytes cannot be decoded (${systemCode(error)})`, {
    cause: error,
  });
}
