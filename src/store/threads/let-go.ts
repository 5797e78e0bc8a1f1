/**
 * Buffers stand outside of V8's heap, and V8 lets a hundred megabytes of dead ones pile up in every thread before it
 * looks. A look at the young ones alone takes well below a millisecond.
 */
const BYTES_BETWEEN = 64 * 1024 * 1024;

/** Of a process started with `--expose-gc`; elsewhere nothing happens. */
const collect = (globalThis as { gc?: (options: { type: 'minor' }) => void }).gc;
let bytesSince = 0;

/** Called when `bytes` were worked on. */
export function letGo(bytes: number): void {
  bytesSince += bytes;
  if (bytesSince < BYTES_BETWEEN) return;
  bytesSince = 0;
  collect?.({ type: 'minor' });
}
