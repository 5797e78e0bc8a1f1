import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testSource } from '../config/testing/settings.ts';
import { quietActivity } from '../kernel/activity.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { freshDirectory, removeDirectory } from '../sqlite/testing/directories.ts';
import type { Manifest } from '../store/manifests/manifest.ts';
import { initRepository, openWriter } from '../store/repository.ts';
import type { StoreWriter } from '../store/store.ts';
import { captureSource } from './capture-source.ts';
import { LineCounter } from './line-count.ts';

let directory: string;
let data: string;
let writer: StoreWriter;

beforeEach(async () => {
  directory = freshDirectory();
  data = join(directory, 'data');
  mkdirSync(join(data, 'messages'), { recursive: true });
  const repository = join(directory, 'repository');
  await initRepository(repository, { clock: systemClock });
  writer = await openWriter(repository, {
    codec: 'none',
    verifyWrites: 'all',
    clock: systemClock,
    lockWaitMs: 0,
    purpose: 'test',
  });
});
afterEach(async () => {
  await writer.close();
  removeDirectory(directory);
});

/** Nothing counts as unchanged whose times are as young as a snapshot's: here, snapshots are a minute older. */
const later: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + 60_000 };

function capture(
  parent: { id: string; manifest: Manifest } | null = null,
  countLines?: readonly string[],
) {
  const roots = [{ class: 'data' as const, name: null, path: data, required: true }];
  const source = testSource({ roots, ...(countLines === undefined ? {} : { countLines }) });
  const request = { source, type: 'full', origin: 'manual', reason: null, jobId: null } as const;
  const rest = { parent, forbiddenPaths: [], scratchDirectory: directory, toolVersion: '1.0.0' };
  return captureSource({ ...request, ...rest }, writer, quietActivity(), later);
}

describe('logs of lines', () => {
  it('F16, T-17, T-08: each snapshot counts their lines, and says which ends in the middle of one', async () => {
    writeFileSync(join(data, 'events.jsonl'), '{"a":1}\n{"a":2}\n\n');
    writeFileSync(join(data, 'messages', 'one.jsonl'), '{"a":1}\n{"a":');
    writeFileSync(join(data, 'messages', 'large.ndjson'), '{"number":123456789}\n'.repeat(50_000));
    writeFileSync(join(data, 'messages', 'empty.jsonl'), '');
    writeFileSync(join(data, 'plain.txt'), 'a\nb\n');
    const { manifest } = await capture();
    expect(manifest.lineCounts).toEqual({
      files: 4,
      lines: 3 + 1 + 50_000,
      partial: 1,
      items: [
        { path: 'data/events.jsonl', lines: 3, partial: false },
        { path: 'data/messages/empty.jsonl', lines: 0, partial: false },
        { path: 'data/messages/large.ndjson', lines: 50_000, partial: false },
        { path: 'data/messages/one.jsonl', lines: 1, partial: true },
      ],
    });
    expect(manifest.notes).toContain('data/messages/one.jsonl ends in the middle of a line');
  });

  it('F16: a log that nobody wrote is not read again, and still counted; one that grew is counted anew', async () => {
    for (const name of ['old.jsonl', 'new.jsonl']) writeFileSync(join(data, name), '1\n2\n');
    const uncounted = await capture(null, []);
    expect(uncounted.manifest.lineCounts).toBeUndefined();
    const counted = await capture(uncounted);
    expect(counted.manifest.lineCounts).toMatchObject({ files: 2, lines: 4 });
    appendFileSync(join(data, 'new.jsonl'), '3\n4');
    const grown = await capture(counted);
    expect(grown.manifest.statistics.readBytes).toBe(7);
    expect(grown.manifest.lineCounts).toMatchObject({ files: 2, lines: 5, partial: 1 });
  });

  it('F16: counts as splitting does, however the bytes are cut', () => {
    const text = fc.array(fc.constantFrom('\n', 'a', '\r\n', 'é'), { maxLength: 30 });
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 7 }), (pieces, step) => {
        const bytes = Buffer.from(pieces.join(''));
        const counter = new LineCounter();
        for (let at = 0; at < bytes.length; at += step) counter.add(bytes.subarray(at, at + step));
        const parts = pieces.join('').split('\n');
        expect(counter.count).toEqual({
          lines: parts.length - 1,
          endsPartial: parts.at(-1) !== '',
        });
      }),
    );
  });
});
