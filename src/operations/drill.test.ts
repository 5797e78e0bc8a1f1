import { readdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AssertionSettings } from '../config/settings.ts';
import { testSettings } from '../config/testing/settings.ts';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import {
  makeDatabase,
  overwrite,
  query,
  Workbench,
  zeroPage,
} from '../recovery/testing/workbench.ts';
import { openReader } from '../store/repository.ts';
import { drill } from './drill.ts';

let bench: Workbench;
beforeEach(async () => {
  bench = await Workbench.create();
  await mkdir(join(bench.state, 'scratch'));
  makeDatabase(bench.path('app.db'), { journalMode: 'wal' });
});
afterEach(() => bench.remove());

function hold(assertions: readonly AssertionSettings[] = []) {
  const settings = testSettings(bench.directory, {
    stateDirectory: bench.state,
    repositoryDirectory: bench.repository,
    sources: [{ ...bench.source, assertions }],
  });
  const scratchDirectory = join(bench.state, 'scratch');
  const context = {
    activity: quietActivity(),
    settings,
    clock: systemClock,
    jobId: 'job',
    scratchDirectory,
  };
  return drill.run(context, { sourceId: 'app' });
}

async function notesOf(id: string) {
  const reader = await openReader(bench.repository);
  try {
    return (await reader.readNotes(id)).verifications;
  } finally {
    reader.close();
  }
}

const COUNT = {
  name: 'notes are there',
  database: 'data/app.db',
  sql: 'SELECT count(*) FROM notes',
};

describe('a drill', () => {
  it('F23: brings the newest good snapshot back, checks and measures it, and leaves nothing but a note', async () => {
    await bench.snapshot(['app.db'], { capturedAtMs: Date.now() - 60_000 });
    query(bench.path('app.db'), (database) => database.exec('DELETE FROM tags'));
    const newest = await bench.snapshot(['app.db']);
    await bench.snapshot(['app.db'], {
      capturedAtMs: Date.now() + 60_000,
      check: { ok: false, messages: ['Tree 2 page 2: bad'] },
    });
    const before = bench.names();
    const result = await hold([{ ...COUNT, expect: 600 }]);
    expect(result).toMatchObject({
      ok: true,
      drills: [
        {
          sourceId: 'app',
          snapshotId: newest,
          databases: 1,
          findings: [],
          assertions: [{ name: 'notes are there', ok: true }],
        },
      ],
    });
    expect(await notesOf(newest)).toEqual([
      {
        at: expect.any(String),
        level: 'drill',
        ok: true,
        findings: [],
        durationMs: expect.any(Number),
      },
    ]);
    expect(bench.names()).toEqual(before);
    expect(readdirSync(join(bench.state, 'scratch'))).toEqual([]);
  });

  it('fails where an assertion does not hold, and says which', async () => {
    const id = await bench.snapshot(['app.db']);
    await expect(hold([{ ...COUNT, expect: 601 }])).rejects.toMatchObject({
      code: 'VERIFY_FAILED',
      message: expect.stringContaining('assertion "notes are there": it gave 600, not 601'),
    });
    expect(await notesOf(id)).toMatchObject([{ level: 'drill', ok: false }]);
    await hold();
    expect((await notesOf(id)).map(({ ok }) => ok)).toEqual([false, true]);
  });

  it('finds a database whose indexes disagree with its tables, whatever its capture said', async () => {
    query(bench.path('app.db'), (database) => database.pragma('journal_mode = DELETE'));
    zeroPage(bench.path('app.db'), 20);
    const id = await bench.snapshot(['app.db']);
    await expect(hold()).rejects.toMatchObject({ code: 'VERIFY_FAILED' });
    expect((await notesOf(id))[0]?.findings[0]).toContain('data/app.db: ');
  });

  it('F23: finds stored bytes that rotted', async () => {
    const id = await bench.snapshot(['app.db']);
    const packs = join(bench.repository, 'packs');
    for (const directory of readdirSync(packs)) {
      for (const pack of readdirSync(join(packs, directory))) {
        overwrite(join(packs, directory, pack), 5000, Buffer.alloc(2000, 0x5a));
      }
    }
    await expect(hold()).rejects.toMatchObject({ code: 'VERIFY_FAILED' });
    expect(await notesOf(id)).toMatchObject([{ level: 'drill', ok: false }]);
    expect(readdirSync(join(bench.state, 'scratch'))).toEqual([]);
  });

  it('without a good snapshot there is nothing to prove', async () => {
    await bench.snapshot(['app.db'], { check: { ok: false, messages: ['bad'] } });
    await expect(hold()).rejects.toMatchObject({ code: 'NO_BACKUP' });
  });
});
