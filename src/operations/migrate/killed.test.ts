import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { countSteps, dieAtStep } from '../../files/testing/dying-process.ts';
import { finishInterruptedWork } from '../reconcile.ts';
import { MigrationBench } from '../testing/migration-bench.ts';

let subject: MigrationBench;
beforeEach(async () => {
  subject = await MigrationBench.create();
});
afterEach(() => subject.remove());

it('F36, Z-D23: killed at any durable step, the database is the old one or the new one, and the history tells which', async () => {
  await subject.makeDatabase('1.0.0');
  const dump = (): unknown =>
    subject.live((database) => [
      database.pragma('user_version', { simple: true }),
      database.pragma('integrity_check', { simple: true }),
      database.prepare('SELECT id, name FROM customers').all(),
      database.prepare("SELECT name FROM pragma_table_info('orders')").pluck().all(),
    ]);
  const before = dump();
  const old = await readFile(subject.path);
  const up = () => subject.run({ action: 'up', checkpoint: false });
  const total = await countSteps(up);
  const after = dump();
  expect(total).toBeGreaterThan(20);
  let reached = 0;
  for (let n = 1; n <= total; n += 1) {
    writeFileSync(subject.path, old);
    await dieAtStep(n, 'before', up);
    await finishInterruptedWork(await subject.context());
    expect([before, after]).toContainEqual(dump());
    expect((await subject.history()).every((row) => row.finishedAt !== null)).toBe(true);
    if (subject.version() !== 3) continue;
    reached += 1;
    // The next run looks what became of the one before.
    expect(await up()).toMatchObject({ migrationsRun: 0 });
    expect((await subject.history()).slice(-2).map((row) => row.installed)).toEqual([true, true]);
  }
  expect(reached).toBeGreaterThan(0);
  expect((await subject.history()).some(({ error }) => error === 'interrupted')).toBe(true);
}, 120_000);
