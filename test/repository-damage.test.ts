import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { snapshot } from './support/jobs.ts';
import { runSeed, seededRandom } from './support/random.ts';
import { Sandbox, stopChild } from './support/sandbox.ts';

/** Promise: damage to the repository is found, never restored, and harms no snapshot that does not need it. */

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = new Sandbox();
  await sandbox.configure();
});
afterEach(() => sandbox.dispose());

function files(directory: string): string[] {
  return (readdirSync(directory, { recursive: true }) as string[])
    .map((name) => join(directory, name))
    .filter((path) => /\.(pack|json)$/.test(path));
}

function flip(path: string, offset: number): () => void {
  const original = readFileSync(path);
  const damaged = Buffer.from(original);
  damaged[offset] = damaged[offset]! ^ 0x10;
  writeFileSync(path, damaged);
  return () => writeFileSync(path, original);
}

/** Two snapshots that share nothing: the content of `app.db` is made anew in between. */
async function twoSnapshots(): Promise<{ first: string; second: string }> {
  const daemon = await sandbox.start();
  const client = await sandbox.client();
  const ids: string[] = [];
  for (let round = 0; round < 2; round++) {
    rmSync(join(sandbox.data, 'app.db'), { force: true });
    const database = new Database(join(sandbox.data, 'app.db'));
    database.exec('CREATE TABLE notes (body); INSERT INTO notes VALUES (randomblob(300000))');
    database.close();
    ids.push((await snapshot(client))['snapshotId']);
  }
  await stopChild(daemon.process, 'SIGTERM');
  return { first: ids[0]!, second: ids[1]! };
}

describe('a damaged repository', () => {
  it('any flipped byte of a pack or manifest is found by check; other snapshots still restore', async () => {
    const { first, second } = await twoSnapshots();
    const random = seededRandom(runSeed());
    const candidates = [
      ...files(join(sandbox.repository, 'packs')),
      ...files(join(sandbox.repository, 'snapshots')),
    ];
    for (const path of candidates) {
      const repair = flip(path, Math.floor(random() * readFileSync(path).length));
      const check = await sandbox.run(['check', '--read-data-subset', '100%', '--json']);
      expect({ path, exitCode: check.exitCode }).toEqual({ path, exitCode: 12 });

      const outcomes: number[] = [];
      for (const id of [first, second]) {
        const target = join(sandbox.root, `restored-${outcomes.length}`);
        const { exitCode } = await sandbox.run(['restore', id, '--to', target, '--json']);
        outcomes.push(exitCode);
        rmSync(target, { recursive: true, force: true });
      }
      // One of them needs the damaged file and is refused; the other does not. (Some bytes nobody needs to restore.)
      expect(outcomes).toContain(0);
      expect(outcomes.every((exitCode) => [0, 10, 12].includes(exitCode))).toBe(true);
      repair();
    }
    expect((await sandbox.run(['check', '--read-data-subset', '100%'])).exitCode).toBe(0);
  });

  it('answers the same after catalog.db is gone or garbage, with a daemon and without', async () => {
    await twoSnapshots();
    // Verified before, so that the proofs are part of what must come back.
    await sandbox.json(['verify', '--all', '--deep']);
    const before = await sandbox.json(['snapshots']);
    expect(before['items']).toHaveLength(2);
    for (const damage of ['gone', 'garbage']) {
      for (const name of readdirSync(sandbox.repository)) {
        if (name.startsWith('catalog.db')) rmSync(join(sandbox.repository, name));
      }
      if (damage === 'garbage') writeFileSync(join(sandbox.repository, 'catalog.db'), 'garbage');
      expect(await sandbox.json(['snapshots'])).toEqual(before);
      const daemon = await sandbox.start();
      expect(await sandbox.json(['snapshots'])).toEqual(before);
      await stopChild(daemon.process, 'SIGTERM');
    }
  });

  it('rebuild makes the catalog anew, and says what it found', async () => {
    await twoSnapshots();
    const before = await sandbox.json(['snapshots']);
    rmSync(join(sandbox.repository, 'catalog.db'), { force: true });
    await sandbox.json(['repository', 'rebuild']);
    expect(await sandbox.json(['snapshots'])).toEqual(before);
    expect((await sandbox.run(['check'])).exitCode).toBe(0);
  });
});
