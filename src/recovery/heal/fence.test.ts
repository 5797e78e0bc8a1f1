import { copyFileSync, readFileSync, truncateSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listReports } from '../report-store.ts';
import { kinds } from '../testing/damage/kinds.ts';
import { describeShape, shapeOf } from '../testing/damage/shape.ts';
import { Trial } from '../testing/damage/trial.ts';
import { World } from '../testing/damage/world.ts';
import {
  addNotes,
  makeDatabase,
  overwrite,
  PAGE_BYTES,
  query,
  Workbench,
} from '../testing/workbench.ts';

/** Whole seconds, which can be given back to a file exactly. */
const MTIME_SECONDS = 1_700_000_000;

/** Every kind at one page size or another; each world takes its share. */
const KINDS = [
  ['table leaf zeroed', 'header magic overwritten', '64 bits flipped'],
  ['table interior zeroed', 'page 1 zeroed', 'cut within a page'],
  ['64 KiB zeroed', 'two pages swapped', 'emptied'],
] as const;
const SEEDS = [1, 2, 6];

describe('when nothing was written since the snapshot', () => {
  it.each(SEEDS.map((seed, index) => [describeShape(shapeOf(seed, false)), seed, KINDS[index]!]))(
    'the file is again, byte for byte, what it was: %s',
    async (_what, seed, names) => {
      const world = await World.create(shapeOf(seed, false));
      try {
        for (const kind of kinds.filter(({ name }) => names.some((each) => each === name))) {
          if ((await Trial.start(world, kind)) === null) continue;
          expect(readFileSync(world.path).equals(world.before.bytes), kind.name).toBe(false);
          const { databases } = await world.bench.recover({ mode: 'force' });
          const found = databases.find(({ path }) => path === world.path);
          expect(found, kind.name).toMatchObject({ state: 'recovered' });
          expect(readFileSync(world.path).equals(world.before.bytes), kind.name).toBe(true);
          const [report] = await listReports(world.bench.state, { limit: 1 });
          expect(report?.rung, kind.name).toBe('undo-rot');
        }
      } finally {
        await world.remove();
      }
    },
    60_000,
  );
});

describe('rot that no check sees', () => {
  let bench: Workbench;
  let app: string;

  beforeEach(async () => {
    bench = await Workbench.create();
    app = bench.path('app.db');
  });
  afterEach(() => bench.remove());

  /** One bit of a text: no index holds it, and any text is a sound one. */
  function flipTextBit(): void {
    const at = readFileSync(app).indexOf('body of 77 ');
    overwrite(app, at, Buffer.from('c'));
  }

  it('is found by a forced check and undone, in either journal mode', async () => {
    for (const journalMode of ['delete', 'wal'] as const) {
      makeDatabase(app, { rows: 200, journalMode });
      utimesSync(app, MTIME_SECONDS, MTIME_SECONDS);
      await bench.snapshot(['app.db']);
      const whole = readFileSync(app);
      flipTextBit();
      utimesSync(app, MTIME_SECONDS, MTIME_SECONDS);
      expect(await bench.recover({ mode: 'check-only' })).toMatchObject({ needsOperator: 1 });
      expect(readFileSync(app).equals(whole)).toBe(false);
      const { databases } = await bench.recover({ mode: 'force' });
      expect(databases).toMatchObject([{ state: 'recovered' }]);
      expect(readFileSync(app).equals(whole)).toBe(true);
      const [report] = await listReports(bench.state, { limit: 1 });
      expect(report?.cause[0]).toMatch(/differs from its snapshot .* although nothing was written/);
      await bench.remove();
      bench = await Workbench.create();
      app = bench.path('app.db');
    }
  });

  it('is seen beside a WAL as well', async () => {
    const origin = join(bench.directory, 'origin.db');
    makeDatabase(origin, { rows: 200, journalMode: 'wal' });
    const writer = new Database(origin);
    addNotes(writer, 201, 220);
    for (const suffix of ['', '-wal']) copyFileSync(`${origin}${suffix}`, `${app}${suffix}`);
    utimesSync(app, MTIME_SECONDS, MTIME_SECONDS);
    writer.close();
    const image = readFileSync(origin);
    await bench.snapshot(['app.db'], { images: { 'app.db': image } });
    flipTextBit();
    utimesSync(app, MTIME_SECONDS, MTIME_SECONDS);
    expect(await bench.recover({ mode: 'force' })).toMatchObject({ recovered: 1 });
    expect(readFileSync(app).equals(image)).toBe(true);
    expect(bench.names()).toEqual(['app.db']);
  });

  it('is undone from the oldest snapshot of the same state: the later ones have it too', async () => {
    makeDatabase(app, { rows: 200 });
    utimesSync(app, MTIME_SECONDS, MTIME_SECONDS);
    const older = await bench.snapshot(['app.db']);
    const whole = readFileSync(app);
    flipTextBit();
    utimesSync(app, MTIME_SECONDS, MTIME_SECONDS);
    await bench.snapshot(['app.db']);
    expect(await bench.recover({ mode: 'force' })).toMatchObject({ recovered: 1 });
    expect(readFileSync(app).equals(whole)).toBe(true);
    expect((await listReports(bench.state))[0]?.snapshot?.id).toBe(older);
  });

  it('is not what an application wrote, though the time of the file says nothing of it', async () => {
    makeDatabase(app, { rows: 200 });
    utimesSync(app, MTIME_SECONDS, MTIME_SECONDS);
    await bench.snapshot(['app.db']);
    query(app, (database) => database.exec(`UPDATE notes SET body = 'new' WHERE id = 77`));
    utimesSync(app, MTIME_SECONDS, MTIME_SECONDS);
    const written = readFileSync(app);
    expect(await bench.recover({ mode: 'force' })).toMatchObject({ ok: true, recovered: 0 });
    expect(readFileSync(app).equals(written)).toBe(true);
  });

  it('is not told from a write where the file has another time', async () => {
    makeDatabase(app, { rows: 200 });
    await bench.snapshot(['app.db']);
    flipTextBit();
    utimesSync(app, MTIME_SECONDS, MTIME_SECONDS);
    const flipped = readFileSync(app);
    expect(await bench.recover({ mode: 'force' })).toMatchObject({ ok: true, recovered: 0 });
    expect(readFileSync(app).equals(flipped)).toBe(true);
  });

  it('is not what is wrong with a file that was written to and then cut short', async () => {
    makeDatabase(app, { rows: 200 });
    utimesSync(app, MTIME_SECONDS, MTIME_SECONDS);
    await bench.snapshot(['app.db']);
    query(app, (database) => addNotes(database, 201, 210));
    truncateSync(app, readFileSync(app).length - PAGE_BYTES);
    utimesSync(app, MTIME_SECONDS, MTIME_SECONDS);
    await bench.recover({ mode: 'force' });
    const [report] = await listReports(bench.state, { limit: 1 });
    expect(report?.candidates.map(({ candidate }) => candidate)).not.toContain('undo-rot');
  });
});
