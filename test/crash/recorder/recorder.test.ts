import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../support/random.ts';
import { Disk } from '../disk/disk.ts';
import { fillPool, layOut, linesOfFolder, linesOfTree } from '../disk/lay-out.ts';
import { type CutModel, type DiskTree, treeAfterCut } from '../disk/power-cut.ts';
import { buildRecorder, whyNoRecorder } from './build-recorder.ts';
import { createWriteLog, describeCall, type RecordedCall, readWriteLog } from './write-log.ts';

/** The recorder and the model of the disk: what they say of a program whose writes are known. */

let home: string;
let root: string;
let pool: string;
let before: Disk;
beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'recorder-')));
  root = join(home, 'disk');
  pool = join(home, 'pool');
  mkdirSync(root);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** Runs statements of Node in a recorded process; `at(name)` is a path on the disk. */
function record(statements: string): RecordedCall[] {
  const log = join(home, 'calls');
  before = Disk.of(root);
  fillPool(root, pool);
  createWriteLog(log);
  const program = `
    const fs = require('node:fs');
    const at = (name) => require('node:path').join(${JSON.stringify(root)}, name);
    const synced = (name) => { const f = fs.openSync(at(name), 'r'); fs.fsyncSync(f); fs.closeSync(f); };
    (async () => { ${statements} })();`;
  const environment = {
    ...process.env,
    LD_PRELOAD: buildRecorder(),
    HOLDFAST_RECORD_ROOT: root,
    HOLDFAST_RECORD_LOG: log,
    HOLDFAST_RECORD_POOL: pool,
  };
  execFileSync(process.execPath, ['-e', program], { env: environment, cwd: process.cwd() });
  return readWriteLog(log);
}

const replay = (calls: readonly RecordedCall[]): Disk => {
  for (const call of calls) before.apply(call);
  return before;
};

const contents = (tree: DiskTree): Record<string, string> =>
  Object.fromEntries(
    [...tree].map(([name, entry]) => [
      name,
      entry.kind === 'file' ? entry.content.toString() : entry.kind,
    ]),
  );

const after = (calls: readonly RecordedCall[], model: CutModel, seed = 0) =>
  contents(treeAfterCut(replay(calls), model, seededRandom(seed)));

describe.skipIf(whyNoRecorder() !== null)('the recorder', () => {
  it('sees every way in which Node and SQLite change files, threads and children included', () => {
    writeFileSync(join(root, 'old'), 'before');
    const calls = record(`
      fs.mkdirSync(at('a/b'), { recursive: true });
      fs.writeFileSync(at('a/one'), 'one');
      fs.appendFileSync(at('a/one'), ' more');
      await fs.promises.writeFile(at('a/two'), 'two');
      const handle = await fs.promises.open(at('a/two'), 'r+');
      await handle.writev([Buffer.from('TW'), Buffer.from('O!')], 1);
      await handle.chmod(0o640);
      await handle.truncate(4);
      await handle.datasync();
      await handle.close();
      fs.copyFileSync(at('a/one'), at('a/copy'));
      fs.copyFileSync(at('old'), at('a/clone'), fs.constants.COPYFILE_FICLONE);
      fs.linkSync(at('a/one'), at('a/b/linked'));
      fs.symlinkSync('nowhere', at('a/symlink'));
      fs.renameSync(at('a/copy'), at('a/b/moved'));
      fs.renameSync(at('a/b'), at('c'));
      fs.rmSync(at('a/clone'));
      fs.mkdtempSync(at('temporary-'));
      fs.writeFileSync(at('old'), 'new');
      fs.mkdirSync(at('gone'));
      fs.rmdirSync(at('gone'));
      const Database = require('better-sqlite3');
      const database = new Database(at('rows.db'));
      database.pragma('journal_mode = WAL');
      database.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1), (2)');
      database.pragma('journal_mode = DELETE');
      database.exec('INSERT INTO t SELECT zeroblob(9000) FROM t');
      database.close();
      require('node:child_process').execFileSync(process.execPath,
        ['-e', 'require("node:fs").writeFileSync(process.argv[1], "child")', at('child')]);
      const { Worker } = require('node:worker_threads');
      const worker = new Worker('require("node:fs").writeFileSync(require("node:worker_threads").workerData, "thread")',
        { eval: true, workerData: at('thread') });
      await new Promise((resolve) => worker.once('exit', resolve));
    `);
    const whole = treeAfterCut(replay(calls), 'kept', Math.random);
    expect(linesOfTree(whole)).toEqual(linesOfFolder(root));
    const seen = new Set(calls.map(({ operation }) => operation));
    expect([...seen].sort()).toEqual([
      'change-mode',
      'link',
      'make-directory',
      'make-file',
      'make-symlink',
      'remove-directory',
      'rename',
      'set-size',
      'sync-directory',
      'sync-file',
      'unlink',
      'write',
    ]);
    expect(calls.map(describeCall).join('\n')).toContain('rename a/copy to a/b/moved');
    layOut(whole, root, pool);
    expect(linesOfFolder(root)).toEqual(linesOfTree(whole));
  });
});

describe.skipIf(whyNoRecorder() !== null)('what a power cut takes', () => {
  it('a name is durable only by its directory, a content only by its file', () => {
    writeFileSync(join(root, 'kept'), 'old');
    const both = record(`fs.writeFileSync(at('new'), 'content'); synced('new'); synced('');`);
    expect(after(both, 'synced')).toEqual({ kept: 'old', new: 'content' });
    const nameless = record(`fs.writeFileSync(at('other'), 'content'); synced('other');`);
    expect(after(nameless, 'synced')).not.toHaveProperty('other');
    const empty = record(`fs.writeFileSync(at('third'), 'content'); synced('');`);
    expect(after(empty, 'synced')).toMatchObject({ third: '' });
    const unsynced = record(`fs.writeFileSync(at('kept'), 'changed');`);
    expect(after(unsynced, 'synced')).toMatchObject({ kept: 'old' });
    expect(after(unsynced, 'kept')).toMatchObject({ kept: 'changed' });
  });

  it('a rename to another directory may leave both names, and never none', () => {
    mkdirSync(join(root, 'from'));
    mkdirSync(join(root, 'to'));
    writeFileSync(join(root, 'from', 'file'), 'content');
    const arrived = record(`fs.renameSync(at('from/file'), at('to/file')); synced('to');`);
    const both = after(arrived, 'synced');
    expect(both).toMatchObject({ 'from/file': 'content', 'to/file': 'content' });
    const left = record(`fs.renameSync(at('to/file'), at('from/file')); synced('to');`);
    expect(Object.keys(after(left, 'synced'))).toEqual(['from', 'from/file', 'to']);
    const neither = record(`fs.renameSync(at('from/file'), at('to/file'));`);
    const disk = replay(neither);
    for (let seed = 0; seed < 50; seed += 1) {
      const names = [...treeAfterCut(disk, 'torn', seededRandom(seed)).keys()];
      expect(names.filter((name) => name.endsWith('file')).length).toBeGreaterThan(0);
    }
  });

  it('data is torn in sectors, and directories lose changes out of order', () => {
    writeFileSync(join(root, 'sectors'), 'o'.repeat(2_000));
    const calls = record(`
      fs.writeFileSync(at('sectors'), 'n'.repeat(2000), { flag: 'r+' });
      fs.writeFileSync(at('first'), ''); fs.writeFileSync(at('second'), '');`);
    const disk = replay(calls);
    const seen = { torn: false, onlySecond: false };
    for (let seed = 0; seed < 200; seed += 1) {
      const tree = contents(treeAfterCut(disk, 'torn', seededRandom(seed)));
      const content = tree['sectors']!;
      expect(content).toMatch(/^(o{512}|n{512}){3}(o{464}|n{464})$/);
      seen.torn ||= content.includes('on') || content.includes('no');
      seen.onlySecond ||= 'second' in tree && !('first' in tree);
    }
    expect(seen).toEqual({ torn: true, onlySecond: true });
  });
});
