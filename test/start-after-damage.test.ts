import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { RecoveryReport } from '../src/recovery/report.ts';
import { listReports } from '../src/recovery/report-store.ts';
import { kinds } from '../src/recovery/testing/damage/kinds.ts';
import { shapeOf } from '../src/recovery/testing/damage/shape.ts';
import { Trial } from '../src/recovery/testing/damage/trial.ts';
import { judge, readRows } from '../src/recovery/testing/damage/truth.ts';
import { World } from '../src/recovery/testing/damage/world.ts';
import { holdfastBin, Sandbox, stopChild } from './support/sandbox.ts';

/** Promise: whatever happened to its database, the application behind the gate or the daemon's boot finds a sound one. */

const SAMPLE = [
  'page 1 zeroed',
  'table interior zeroed',
  'two pages swapped',
  'index root zeroed',
  'cut within a page',
  'WAL of an older copy',
];
const chosen = kinds.filter(
  ({ name }) => process.env['HOLDFAST_TEST_EVERY_STEP'] === '1' || SAMPLE.includes(name),
);

let world: World;
let sandbox: Sandbox;
beforeAll(async () => {
  world = await World.create(shapeOf(1, true));
  sandbox = new Sandbox();
  await sandbox.configure(
    { roots: [{ class: 'data', path: world.bench.data }] },
    { repositoryDirectory: world.bench.repository },
  );
});
afterEach(() => rmSync(sandbox.state, { recursive: true, force: true }));
afterAll(async () => {
  await sandbox.dispose();
  await world.remove();
});

/** An application that looks at its database before it does anything else. */
const APPLICATION = `
  import Database from 'better-sqlite3';
  const database = new Database(process.env.APPLICATION_DATABASE, { fileMustExist: true });
  console.log('application: ' + database.pragma('integrity_check', { simple: true }));
  database.close();`;

/** As a unit with `ExecStartPre=` does: the application starts where the command before it succeeded. */
function startBehindGate(): Promise<{ exitCode: number; output: string }> {
  const script = `"$NODE" "$HOLDFAST" recover --if-needed && "$NODE" --input-type=module -e "$APPLICATION"`;
  const env = {
    ...sandbox.environment,
    NODE: process.execPath,
    HOLDFAST: holdfastBin,
    APPLICATION,
    APPLICATION_DATABASE: world.path,
  };
  return new Promise((resolve) => {
    execFile('/bin/sh', ['-c', script], { env }, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ exitCode, output: `${stdout}${stderr}` });
    });
  });
}

/** What the report leaves open: rows that it does not claim to have kept. */
const claimsAll = ({ rows, rung, snapshot }: RecoveryReport): boolean =>
  rung !== 'roll-back' &&
  snapshot === null &&
  rows.every(({ readToEnd, lost, stale }) => readToEnd && lost + stale === 0);

async function expectTruth(trial: Trial): Promise<void> {
  const { wrong } = judge(readRows(world.path), world.truth, []);
  expect(wrong).toBeLessThanOrEqual(trial.unrecoverableRows + trial.kind.altersAtMost);
  const [report] = await listReports(sandbox.state, { limit: 1 });
  expect(report).toMatchObject({ state: 'recovered', quarantineId: expect.any(String) });
  if (claimsAll(report!)) expect(wrong).toBe(0);
}

describe.each(chosen.map((kind) => ({ name: kind.name, kind })))('$name', ({ kind }) => {
  it('F32, Z-67: the gate lets the application start on a sound database, and says what it cost', async (context) => {
    const trial = await Trial.start(world, kind);
    if (trial === null) {
      expect(SAMPLE).not.toContain(kind.name);
      return context.skip();
    }
    const { exitCode, output } = await startBehindGate();
    // Where nothing damaged is to be seen, or a person has to decide, there is no report of a repair to hold to.
    if (SAMPLE.includes(kind.name)) {
      expect({ exitCode, output }).toMatchObject({ exitCode: 0 });
      expect(output).toContain('application: ok');
      await expectTruth(trial);
    } else {
      expect(exitCode === 0).toBe(output.includes('application: ok'));
    }
  });

  it.runIf(kind.name === SAMPLE[1] || kind.name === SAMPLE[5])(
    'F32, Z-67: so does the boot of the daemon',
    async () => {
      const trial = (await Trial.start(world, kind))!;
      const daemon = await sandbox.start();
      try {
        await expectTruth(trial);
      } finally {
        await stopChild(daemon.process, 'SIGTERM');
      }
    },
  );
});
