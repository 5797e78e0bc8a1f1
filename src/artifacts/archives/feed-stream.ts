import type { Writable } from 'node:stream';

/** Resolves when the stream takes more, or is closed. */
function roomIn(target: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      target.off('drain', done).off('close', done);
      resolve();
    };
    target.on('drain', done).on('close', done);
    if (target.destroyed) done();
  });
}

/**
 * Writes all of `source` to `target`, no faster than it is taken, and ends it. Resolves when the source has been let
 * go, whoever ended first: null, or what the source threw, which then destroys the target. What the target itself
 * fails with is for its reader to see.
 */
export async function feed(source: AsyncIterable<Uint8Array>, target: Writable): Promise<unknown> {
  target.on('error', () => {});
  try {
    for await (const piece of source) {
      if (target.destroyed) return null;
      if (!target.write(piece)) await roomIn(target);
      if (target.destroyed) return null;
    }
  } catch (error) {
    target.destroy(error as Error);
    return error;
  }
  target.end();
  return null;
}
