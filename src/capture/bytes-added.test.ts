import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quietActivity } from '../kernel/activity.ts';
import { freshDirectory, removeDirectory } from '../sqlite/testing/directories.ts';
import { noiseBytes, scratchRepository, writerOf } from '../store/testing/scratch-repository.ts';
import { GrowingApplication } from './testing/growing-application.ts';

/** What snapshots cost in bytes: counted, so that a busy machine gives the same figures. `npm run bench:bytes` has more. */

const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * KIBIBYTE;

let directory: string;
beforeEach(() => {
  directory = freshDirectory();
});
afterEach(() => removeDirectory(directory));

describe('the bytes that a snapshot adds', () => {
  it('follow what changed: nothing, 1,000 updates, 1,000 appended rows, one row', async () => {
    const application = await GrowingApplication.create(directory, { rows: 23_000, seed: 1 });
    const first = await application.capture();
    expect(first.totalBytes).toBeGreaterThan(7 * MEBIBYTE);

    // A manifest, and no page of the catalog.
    const unchanged = await application.capture();
    expect(unchanged).toMatchObject({ packBytes: 0, chunksNew: 0, chunksDelta: 0 });
    expect(unchanged.totalBytes).toBeLessThan(6 * KIBIBYTE);

    // A thousand rows in three hundred chunks: headers and footer entries are most of what some of them take.
    application.update(1000);
    const updated = await application.capture();
    expect(updated.chunksNew).toBe(0);
    expect(updated.chunksDelta).toBeGreaterThan(200);
    expect(updated.totalBytes).toBeLessThan(160 * KIBIBYTE);

    const compressedBytes = application.append(1000);
    const appended = await application.capture();
    expect(appended.totalBytes).toBeLessThan(3 * compressedBytes);

    application.update(1);
    const one = await application.capture();
    expect(one.totalBytes).toBeLessThan(16 * KIBIBYTE);
  });

  it('stay small where the same few chunks change with every snapshot', async () => {
    const application = await GrowingApplication.create(directory, { rows: 4000, seed: 2 });
    await application.capture();
    let hotBytes = 0;
    for (let round = 0; round < 20; round++) {
      application.update(3, 60);
      hotBytes += (await application.capture()).totalBytes;
    }
    // Each: a manifest, deltas of two chunks, now and then a page of the catalog.
    expect(hotBytes).toBeLessThan(20 * 5 * KIBIBYTE);
    let driftBytes = 0;
    let bases = 0;
    for (let round = 0; round < 20; round++) {
      application.rewrite(2, 60);
      const { totalBytes, chunksNew } = await application.capture();
      driftBytes += totalBytes;
      bases += chunksNew;
    }
    // Its deltas grow, until a new base is less than what they would go on to cost.
    expect(bases).toBeGreaterThan(0);
    expect(bases).toBeLessThan(8);
    expect(driftBytes).toBeLessThan(20 * 12 * KIBIBYTE);
  });
});

describe('the memory of a writer', () => {
  it('is bounded by what is under way, however large the file', async () => {
    const { path, dispose } = await scratchRepository();
    const writer = await writerOf(path, { codec: 'brotli' });
    try {
      const noise = noiseBytes(MEBIBYTE);
      let readBytes = 0;
      let aheadBytesMax = 0;
      const source = {
        bytes: 80 * MEBIBYTE,
        read: (offset: number, lengthBytes: number): Buffer => {
          readBytes += lengthBytes;
          aheadBytesMax = Math.max(aheadBytesMax, readBytes - writer.statistics().addedBytes);
          // Other bytes in every chunk, none of which compress.
          const block = Buffer.from(noise.subarray(0, lengthBytes));
          for (let at = 0; at < lengthBytes; at += 4096) block.writeUInt32LE(offset + at, at);
          return block;
        },
      };
      await writer.writeContent(source, null, quietActivity());
      expect(readBytes).toBe(source.bytes);
      // A pack being verified, one being written and one that is full; objects being stored, and blocks read ahead.
      expect(aheadBytesMax).toBeLessThan((3 * 17 + 9) * MEBIBYTE);
    } finally {
      await writer.close();
      await dispose();
    }
  });
});
