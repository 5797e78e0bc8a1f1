import { copyFileSync, readFileSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listQuarantine } from '../files/quarantine/quarantine.ts';
import { checkDatabase } from '../sqlite/database-check.ts';
import { bundleRecoverOnce, recoverInProcess } from './testing/recover-process.ts';
import {
  addNotes,
  contentsOf,
  makeDatabase,
  query,
  rootPage,
  Workbench,
  zeroPage,
} from './testing/workbench.ts';

let bench: Workbench;
let script: string;
let app: string;
let damaged: Buffer;
let captured: ReturnType<typeof contentsOf>;

/** Kill points are sampled: every one of them would take minutes. */
const SAMPLES = 9;

beforeAll(async () => {
  bench = await Workbench.create();
  app = bench.path('app.db');
  script = await bundleRecoverOnce(bench.directory);
  makeDatabase(app, { rows: 60 });
  await bench.snapshot(['app.db']);
  query(app, (database) => addNotes(database, 61, 70));
  captured = contentsOf(app);
  zeroPage(app, rootPage(app, 'notes'));
  damaged = readFileSync(app);
  copyFileSync(app, join(bench.directory, 'damaged.db'));
  await cp(bench.state, join(bench.directory, 'state-before'), { recursive: true });
});
afterAll(() => bench.remove());

async function reset(): Promise<void> {
  await rm(bench.state, { recursive: true });
  await cp(join(bench.directory, 'state-before'), bench.state, { recursive: true });
  await rm(app);
  copyFileSync(join(bench.directory, 'damaged.db'), app);
}

async function quarantined(): Promise<Buffer[]> {
  const records = await listQuarantine(bench.state);
  return records.flatMap(({ id, items }) =>
    items.flatMap(({ members }) =>
      members.map(({ stored }) => readFileSync(join(bench.state, 'quarantine', id, stored))),
    ),
  );
}

describe('killed at any durable step', () => {
  it('Z-97: the database is the damaged one or the recovered one, and the next run finishes', async () => {
    const { steps } = recoverInProcess(script, bench);
    expect(contentsOf(app)).toEqual(captured);
    const recovered = readFileSync(app);
    expect(steps).toBeGreaterThan(SAMPLES);
    let killedBeforeInstalled = 0;
    for (let sample = 0; sample < SAMPLES; sample += 1) {
      await reset();
      const step = 1 + Math.floor((sample * steps) / SAMPLES);
      const killAt = `${sample % 2 === 0 ? 'before' : 'after'}:${step}`;
      expect(recoverInProcess(script, bench, killAt).signal, killAt).toBe('SIGKILL');

      const found = readFileSync(app);
      expect(found.equals(damaged) || found.equals(recovered), killAt).toBe(true);
      recoverInProcess(script, bench);

      expect(checkDatabase(app, 'full').ok, killAt).toBe(true);
      expect(contentsOf(app), killAt).toEqual(captured);
      expect(bench.names(), killAt).toEqual(['app.db']);
      const kept = await quarantined();
      expect(
        kept.some((bytes) => bytes.equals(damaged)),
        killAt,
      ).toBe(true);
      expect(kept.length, killAt).toBeLessThanOrEqual(2);
      if (kept.length === 1) killedBeforeInstalled += 1;
    }
    expect(killedBeforeInstalled).toBeGreaterThan(0);
  }, 60_000);
});
