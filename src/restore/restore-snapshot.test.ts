import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RootSettings } from '../config/settings.ts';
import { listQuarantine } from '../files/quarantine/quarantine.ts';
import { pictureOf } from '../files/testing/tree-picture.ts';
import { quietActivity } from '../kernel/activity.ts';
import { systemClock } from '../kernel/clock.ts';
import type { RestoreRequest } from './restore-request.ts';
import { type RestoreResult, restoreSnapshot } from './restore-snapshot.ts';
import { Workplace } from './testing/stored-tree.ts';

let work: Workplace;
let data: string;
let roots: RootSettings[];

beforeEach(async () => {
  work = await Workplace.make();
  data = work.at('app', 'data');
  await mkdir(join(data, 'notes', 'empty'), { recursive: true });
  const database = new Database(join(data, 'app.db'));
  database.exec("CREATE TABLE rows (word TEXT); INSERT INTO rows VALUES ('snapshot');");
  database.close();
  const wal = new Database(join(data, 'wal.db'));
  wal.pragma('journal_mode = WAL');
  wal.exec("CREATE TABLE rows (word TEXT); INSERT INTO rows VALUES ('wal mode');");
  wal.close();
  await writeFile(join(data, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 });
  await writeFile(join(data, 'secret'), 's'.repeat(200_000), { mode: 0o600 });
  await writeFile(join(data, 'notes', 'a[1]*.txt'), 'a');
  await writeFile(join(data, 'notes', 'back\\slash'), 'b');
  await symlink('../outside', join(data, 'link'));
  await chmod(join(data, 'notes', 'empty'), 0o700);
  for (const name of ['run.sh', 'secret', 'notes/empty', 'notes']) {
    await utimes(join(data, name), 1_600_000_000.123456, 1_600_000_000.123456);
  }
  roots = [{ class: 'data', name: null, path: data, required: true }];
});
afterEach(() => work.remove());

const snapshotData = (): Promise<string> =>
  work.snapshot([{ class: 'data', name: null, path: data }]);

const restore = (request: RestoreRequest): Promise<RestoreResult> =>
  work.read((reader) => restoreSnapshot(request, reader, quietActivity(), systemClock));

const inPlace = (id: string, more: Partial<RestoreRequest> = {}): Promise<RestoreResult> =>
  restore(work.request(id, { target: { type: 'in-place', roots }, ...more }));

const toDirectory = (
  id: string,
  path: string,
  more: Partial<RestoreRequest> = {},
): Promise<RestoreResult> =>
  restore(work.request(id, { target: { type: 'directory', path }, ...more }));

function rowsOf(path: string): string[] {
  const database = new Database(path, { fileMustExist: true });
  try {
    return database.prepare('SELECT word FROM rows').pluck().all() as string[];
  } finally {
    database.close();
  }
}

/** Everything below, the directory itself aside. */
async function below(path: string): Promise<Record<string, string>> {
  const { '.': _root, ...picture } = await pictureOf(path);
  return picture;
}

const USER_PROGRAM = fileURLToPath(new URL('testing/database-user.mjs', import.meta.url));

/** Another process that has opened and read the database, and now idles. */
async function startUser(path: string): Promise<{ pid: number; stop(): Promise<void> }> {
  const child = spawn(process.execPath, [USER_PROGRAM, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return {
    pid: child.pid!,
    stop: async () => {
      child.stdin.end();
      await once(child, 'exit');
    },
  };
}

/** Changes the application's data in every way. */
async function changeEverything(): Promise<void> {
  const database = new Database(join(data, 'app.db'));
  database.exec("UPDATE rows SET word = 'later'");
  database.close();
  await writeFile(join(data, 'run.sh'), 'rm -rf everything');
  await chmod(join(data, 'run.sh'), 0o644);
  await writeFile(join(data, 'added.txt'), 'not in the snapshot');
}

describe('restore to a directory', () => {
  it('Z-D21: reproduces content, modes, times, symlinks and empty directories exactly', async () => {
    const id = await snapshotData();
    const result = await toDirectory(id, work.at('out', 'deep'));
    expect(await below(work.at('out', 'deep', 'data'))).toEqual(await below(data));
    expect(result).toMatchObject({ overwritten: 0, skipped: 0, quarantineId: null });
    expect(result.checked).toEqual([
      { path: 'data/app.db', ok: true },
      { path: 'data/wal.db', ok: true },
    ]);
    expect(rowsOf(work.at('out', 'deep', 'data', 'app.db'))).toEqual(['snapshot']);
    expect((await pictureOf(work.at('out')))['./deep']).toMatch(/^directory 700 /);
  });

  it('leaves nothing behind in staging', async () => {
    await toDirectory(await snapshotData(), work.at('out'));
    expect(await readdir(join(work.state, 'staging'))).toEqual([]);
    expect(await readdir(work.home)).toEqual(['app', 'out', 'repository', 'state']);
  });

  it('refuses files that exist, before anything is written, unless told what to overwrite', async () => {
    const id = await snapshotData();
    await mkdir(work.at('out', 'data'), { recursive: true });
    await writeFile(work.at('out', 'data', 'secret'), 'mine');
    const before = await pictureOf(work.at('out'));
    await expect(toDirectory(id, work.at('out'))).rejects.toMatchObject({
      code: 'TARGET_NOT_EMPTY',
    });
    expect(await pictureOf(work.at('out'))).toEqual(before);
    const path = work.at('out');
    const allowing = { type: 'directory' as const, path, allowNonEmpty: true };
    await expect(toDirectory(id, path, { overwrite: 'always' })).rejects.toMatchObject({
      code: 'TARGET_NOT_EMPTY',
    });
    await restore(work.request(id, { target: allowing, overwrite: 'always' }));
    expect((await readFile(work.at('out', 'data', 'secret'))).length).toBe(200_000);
  });

  it('M-D8, F27: restores exactly the named file, whatever pattern its name looks like, with its directories’ modes', async () => {
    await chmod(join(data, 'notes'), 0o711);
    const id = await snapshotData();
    const paths = ['data/notes/a[1]*.txt'];
    await toDirectory(id, work.at('out'), { paths });
    const picture = await pictureOf(work.at('out', 'data'), { times: false });
    expect(Object.keys(picture)).toEqual(['.', './notes', './notes/a[1]*.txt']);
    expect(picture['./notes']).toBe('directory 711');
  });

  it('T-32, M-49: names what the snapshot does not hold, and writes nothing', async () => {
    const id = await snapshotData();
    for (const path of ['data/missing', 'config/x', 'nothing']) {
      await expect(toDirectory(id, work.at('out'), { paths: [path] })).rejects.toMatchObject({
        code: 'PATH_NOT_FOUND',
      });
    }
    expect(await readdir(work.home)).not.toContain('out');
  });

  it('Z-D12, Z-D17: refuses the repository, the state, what lies in them and what holds them', async () => {
    const id = await snapshotData();
    const places = [work.repository, join(work.repository, 'x'), join(work.state, 'x'), work.home];
    for (const place of places) {
      await expect(toDirectory(id, place)).rejects.toMatchObject({ code: 'PATH_UNSAFE' });
    }
    await toDirectory(id, `${work.repository}-evil`);
  });

  it('Z-D13: follows a symlink that is the target directory, and none below it', async () => {
    const id = await snapshotData();
    await mkdir(work.at('real'));
    await symlink(work.at('real'), work.at('out'));
    await toDirectory(id, work.at('out'));
    expect(await readdir(work.at('real'))).toEqual(['data']);
    await mkdir(work.at('second', 'data'), { recursive: true });
    await mkdir(work.at('elsewhere'));
    await symlink(work.at('elsewhere'), work.at('second', 'data', 'notes'));
    await expect(toDirectory(id, work.at('second'), { overwrite: 'always' })).rejects.toMatchObject(
      { code: 'PATH_UNSAFE' },
    );
    await expect(
      toDirectory(id, work.at('second'), { paths: ['data/notes/a[1]*.txt'] }),
    ).rejects.toMatchObject({ code: 'PATH_UNSAFE' });
    expect(await readdir(work.at('elsewhere'))).toEqual([]);
  });

  it('Z-D21, T-34, T-D22: never restores setuid, setgid or sticky bits', async () => {
    const id = await work.snapshot([{ class: 'data', name: null, path: data }], {
      entries: (entries) =>
        entries.map((entry) => (entry.name === 'run.sh' ? { ...entry, mode: 0o7755 } : entry)),
    });
    await toDirectory(id, work.at('out'));
    expect((await pictureOf(work.at('out', 'data')))['./run.sh']).toMatch(/^file 755 /);
  });
});

describe('restore in place', () => {
  it('Z-56, Z-D14, F26, Z-40: puts back what changed, leaves alone what did not or was added, and keeps the originals', async () => {
    const id = await snapshotData();
    const before = await pictureOf(data);
    await changeEverything();
    const changed = await readFile(join(data, 'run.sh'));
    const result = await inPlace(id);
    const after = await pictureOf(data);
    const { './added.txt': added, '.': _root, ...rest } = after;
    const { '.': _old, ...expected } = before;
    expect(rest).toEqual(expected);
    expect(added).toBeDefined();
    expect(rowsOf(join(data, 'app.db'))).toEqual(['snapshot']);
    expect(result).toMatchObject({ created: 0, overwritten: 2 });
    const [record] = await listQuarantine(work.state);
    expect(record?.id).toBe(result.quarantineId);
    expect(record?.items.map(({ target }) => target)).toEqual([
      join(data, 'app.db'),
      join(data, 'run.sh'),
    ]);
    const kept = join(work.state, 'quarantine', record!.id, record!.items[1]!.members[0]!.stored);
    expect(await readFile(kept)).toEqual(changed);
  });

  it('changes nothing, and swaps nothing, when everything is as in the snapshot', async () => {
    const id = await snapshotData();
    const before = await pictureOf(data);
    const result = await inPlace(id);
    expect(result).toMatchObject({ created: 0, overwritten: 0, swapId: null });
    expect(await pictureOf(data)).toEqual(before);
  });

  it('Z-37, F25, Z-40: a dry run says what would happen, and changes nothing at all', async () => {
    const id = await snapshotData();
    await changeEverything();
    const before = await pictureOf(work.at('app'));
    const dry = await inPlace(id, { dryRun: true });
    expect(await pictureOf(work.at('app'))).toEqual(before);
    expect(await readdir(work.home)).toEqual(['app', 'repository']);
    const real = await inPlace(id);
    expect(dry.entries).toEqual(real.entries);
    expect(dry.bytesPlanned).toBe(real.bytesWritten);
    expect(dry).toMatchObject({ dryRun: true, bytesWritten: 0, overwritten: 2 });
  });

  it('F-D2, Z-D5: replaces a database whose newest rows are in its WAL, and never replays that WAL', async () => {
    const id = await snapshotData();
    const script = `
      const Database = require('better-sqlite3');
      const database = new Database(process.argv[1]);
      database.pragma('journal_mode = WAL');
      database.exec("INSERT INTO rows VALUES ('in the wal')");
      process.kill(process.pid, 'SIGKILL');`;
    const child = spawn(process.execPath, ['-e', script, join(data, 'app.db')]);
    await once(child, 'exit');
    expect(await readdir(data)).toContain('app.db-wal');
    await inPlace(id);
    expect(await readdir(data)).not.toContain('app.db-wal');
    expect(rowsOf(join(data, 'app.db'))).toEqual(['snapshot']);
    const [record] = await listQuarantine(work.state);
    expect(record!.items[0]!.members.map(({ name }) => name)).toEqual([
      'app.db',
      'app.db-wal',
      'app.db-shm',
    ]);
  });

  it('fails clearly where the source has no such root any more', async () => {
    const id = await snapshotData();
    await expect(
      restore(work.request(id, { target: { type: 'in-place', roots: [] } })),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('Z-37, Z-38: follows each overwrite policy', async () => {
    const id = await snapshotData();
    const secret = join(data, 'secret');
    await writeFile(secret, 'S'.repeat(200_000));
    expect(await inPlace(id, { overwrite: 'never' })).toMatchObject({ overwritten: 0 });
    expect(await inPlace(id, { overwrite: 'if-newer' })).toMatchObject({ overwritten: 0 });
    await utimes(secret, 1_600_000_000.123456, 1_600_000_000.123456);
    expect(await inPlace(id, { overwrite: 'if-changed' })).toMatchObject({ overwritten: 0 });
    await utimes(secret, 1_500_000_000, 1_500_000_000);
    expect(await inPlace(id, { overwrite: 'if-newer' })).toMatchObject({ overwritten: 1 });
    await writeFile(secret, 'S'.repeat(200_000));
    await utimes(secret, 1_600_000_000.123456, 1_600_000_000.123456);
    expect(await inPlace(id, { overwrite: 'always' })).toMatchObject({ overwritten: 1 });
    expect(await readFile(secret, 'utf8')).toBe('s'.repeat(200_000));
  });

  it('with overwrite never, what is missing comes back and nothing that exists changes, modes included', async () => {
    const id = await snapshotData();
    await rm(join(data, 'notes', 'a[1]*.txt'));
    await chmod(join(data, 'notes'), 0o770);
    await writeFile(join(data, 'secret'), 'mine', { mode: 0o600 });
    expect(await inPlace(id, { overwrite: 'never' })).toMatchObject({ created: 1, overwritten: 0 });
    const after = await pictureOf(data);
    expect(after['./notes']).toMatch(/^directory 770 /);
    expect(after['./notes/a[1]*.txt']).toBeDefined();
    expect(await readFile(join(data, 'secret'), 'utf8')).toBe('mine');
  });

  it('puts a directory back where a file stands now, and makes a missing root anew', async () => {
    const id = await snapshotData();
    const { '.': _root, ...expected } = await pictureOf(data);
    await rm(join(data, 'notes'), { recursive: true });
    await writeFile(join(data, 'notes'), 'a file');
    await inPlace(id);
    expect((await below(data))['./notes/back\\slash']).toBe(expected['./notes/back\\slash']);
    await rm(work.at('app'), { recursive: true });
    await inPlace(id);
    expect(await below(data)).toEqual(expected);
    expect((await pictureOf(data))['.']).toMatch(/^directory 755 /);
  });

  it('never replaces a directory that holds something with a file', async () => {
    await writeFile(join(data, 'thing'), 'a file');
    const id = await snapshotData();
    await rm(join(data, 'thing'));
    await mkdir(join(data, 'thing'));
    await writeFile(join(data, 'thing', 'inner'), 'kept');
    const before = await pictureOf(data);
    await expect(inPlace(id)).rejects.toMatchObject({ code: 'TARGET_NOT_EMPTY' });
    expect(await pictureOf(data)).toEqual(before);
  });
});

describe('owners', () => {
  it.skipIf(process.getuid?.() !== 0)(
    'M-15, M-59: come back in place, and in no other directory',
    async () => {
      await chown(join(data, 'secret'), 1234, 1235);
      const id = await snapshotData();
      await toDirectory(id, work.at('out'));
      expect(await lstat(work.at('out', 'data', 'secret'))).toMatchObject({ uid: 0, gid: 0 });
      await chown(join(data, 'secret'), 0, 0);
      expect(await inPlace(id)).toMatchObject({ overwritten: 1 });
      expect(await lstat(join(data, 'secret'))).toMatchObject({ uid: 1234, gid: 1235 });
    },
  );
});

describe('a database in use', () => {
  for (const mode of ['WAL', 'DELETE']) {
    it(`C-D2: idle in another process (${mode}) is refused, naming it, and stays as it is`, async () => {
      const id = await snapshotData();
      const path = join(data, 'app.db');
      const database = new Database(path);
      database.pragma(`journal_mode = ${mode}`);
      database.exec("UPDATE rows SET word = 'live'");
      database.close();
      const user = await startUser(path);
      const before = await pictureOf(data);
      try {
        await expect(inPlace(id)).rejects.toMatchObject({
          code: 'TARGET_BUSY',
          retryable: true,
          message: expect.stringContaining(String(user.pid)),
        });
        expect(await pictureOf(data)).toEqual(before);
      } finally {
        await user.stop();
      }
      await inPlace(id);
      expect(rowsOf(path)).toEqual(['snapshot']);
    });
  }

  it('C-D2: opened between staging and swap is refused as well, and everything stays as it is', async () => {
    const id = await snapshotData();
    await changeEverything();
    const before = await pictureOf(data);
    let user: Awaited<ReturnType<typeof startUser>> | undefined;
    const beforeSwap = async (): Promise<void> => {
      user = await startUser(join(data, 'app.db'));
    };
    try {
      await expect(inPlace(id, { beforeSwap })).rejects.toMatchObject({ code: 'TARGET_BUSY' });
      expect(await pictureOf(data)).toEqual(before);
    } finally {
      await user?.stop();
    }
  });
});

describe('a damaged snapshot', () => {
  it('F-D3, Z-D6: with one flipped byte in a pack: VERIFY_FAILED, and the target is untouched', async () => {
    const id = await snapshotData();
    await changeEverything();
    const packs = (await readdir(join(work.repository, 'packs'), { recursive: true })).filter(
      (name) => name.endsWith('.pack'),
    );
    const pack = join(work.repository, 'packs', packs[0]!);
    const bytes = await readFile(pack);
    const at = bytes.indexOf(Buffer.from('#!/bin/sh'));
    expect(at).toBeGreaterThan(0);
    bytes[at] = bytes[at]! ^ 1;
    await chmod(pack, 0o600);
    await writeFile(pack, bytes);
    const before = await pictureOf(data);
    await expect(inPlace(id)).rejects.toMatchObject({ code: 'VERIFY_FAILED' });
    expect(await pictureOf(data)).toEqual(before);
    expect(await readdir(join(work.state, 'staging'))).toEqual([]);
  });

  it('F-17, T-D2: holding a corrupt database: VERIFY_FAILED, and the target is untouched; check none brings it back', async () => {
    const database = new Database(join(data, 'big.db'));
    database.exec('CREATE TABLE rows (word TEXT)');
    const insert = database.prepare('INSERT INTO rows VALUES (?)');
    database.transaction(() => {
      for (let n = 0; n < 500; n++) insert.run('x'.repeat(50));
    })();
    database.close();
    const bytes = await readFile(join(data, 'big.db'));
    bytes.fill(0xaa, 8192, 12_288);
    await writeFile(join(data, 'big.db'), bytes);
    const id = await snapshotData();
    await writeFile(join(data, 'big.db'), 'changed');
    const before = await pictureOf(data);
    await expect(inPlace(id)).rejects.toMatchObject({
      code: 'VERIFY_FAILED',
      message: expect.stringContaining('data/big.db'),
    });
    expect(await pictureOf(data)).toEqual(before);
    await inPlace(id, { check: 'none' });
    expect(await readFile(join(data, 'big.db'))).toEqual(bytes);
  });

  it('T-34, Z-D35: that holds more than it declares is refused', async () => {
    for (const lie of [{ files: 0, databases: 0 }, { totalBytes: 10 }]) {
      const id = await work.snapshot([{ class: 'data', name: null, path: data }], {
        manifest: (manifest) => ({ ...manifest, statistics: { ...manifest.statistics, ...lie } }),
      });
      await expect(toDirectory(id, work.at('out'))).rejects.toMatchObject({
        code: 'LIMIT_EXCEEDED',
      });
    }
    expect(await readdir(work.home)).not.toContain('out');
  });
});
