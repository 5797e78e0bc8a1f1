/** A job's result is kept in state.db and sent whole to every client that asks for the job. */
export const RESULT_BYTES_MAX = 1024 * 1024;

/**
 * The result with its largest top-level fields left out (and named in `omitted`) until it fits: work that was
 * done must not be reported as failed because its report is long.
 */
export function boundResult(
  result: Record<string, unknown>,
  bytesMax: number = RESULT_BYTES_MAX,
): { result: Record<string, unknown>; omitted: string[] } {
  const sizes = Object.entries(result)
    .map(([name, value]) => ({ name, bytes: jsonBytes({ [name]: value }) }))
    .sort((left, right) => right.bytes - left.bytes);
  let total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
  const omitted: string[] = [];
  for (const { name, bytes } of sizes) {
    if (total <= bytesMax) break;
    omitted.push(name);
    total -= bytes;
  }
  if (omitted.length === 0) return { result, omitted };
  const kept = Object.entries(result).filter(([name]) => !omitted.includes(name));
  return { result: { ...Object.fromEntries(kept), omitted }, omitted };
}

const jsonBytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value), 'utf8');
