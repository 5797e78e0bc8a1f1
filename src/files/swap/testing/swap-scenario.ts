import { copyFile, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { SwapRequest } from '../swap.ts';

/** A database whose last rows live in its WAL alone, as a crash leaves it; and what replaces it. */
export async function writeTemplates(directory: string): Promise<void> {
  const live = join(directory, 'live.db');
  const database = new Database(live);
  database.pragma('journal_mode = WAL');
  database.pragma('wal_autocheckpoint = 0');
  database.exec("CREATE TABLE rows (word TEXT); INSERT INTO rows VALUES ('old');");
  database.pragma('wal_checkpoint(TRUNCATE)');
  const insert = database.prepare("INSERT INTO rows VALUES ('old in wal ' || ?)");
  for (let n = 0; n < 200; n++) insert.run(n);
  for (const suffix of ['', '-wal', '-shm']) {
    await copyFile(`${live}${suffix}`, join(directory, `old.db${suffix}`));
  }
  database.close();
  const fresh = new Database(join(directory, 'new.db'));
  fresh.exec("CREATE TABLE rows (word TEXT); INSERT INTO rows VALUES ('new');");
  for (let n = 0; n < 300; n++)
    fresh.prepare('INSERT INTO rows VALUES (?)').run(`new ${n}`.padEnd(80));
  fresh.close();
  const calm = new Database(join(directory, 'calm.db'));
  calm.exec("CREATE TABLE rows (word TEXT); INSERT INTO rows VALUES ('calm');");
  calm.close();
}

export interface SwapScenario {
  readonly home: string;
  readonly data: string;
  readonly request: SwapRequest;
}

const OLD_TIME_SECONDS = 1_700_000_000.123456;

/**
 * One of everything: a database with WAL and -shm, one without, one that is new, a plain file, a symlink and a
 * directory that are replaced, a file that becomes a directory, a file that is removed, a file in directories that do not exist yet.
 */
export async function buildScenario(
  templates: string,
  options: { readonly stateParent?: string; readonly only?: readonly string[] } = {},
): Promise<SwapScenario> {
  const home = await mkdtemp(join(tmpdir(), 'swap-'));
  const data = join(home, 'data');
  const staging = join(home, 'staging');
  await mkdir(join(data, 'folder'), { recursive: true });
  await mkdir(join(staging, 'folder'), { recursive: true });
  for (const suffix of ['', '-wal', '-shm']) {
    await copyFile(join(templates, `old.db${suffix}`), join(data, `app.db${suffix}`));
  }
  await copyFile(join(templates, 'calm.db'), join(data, 'calm.db'));
  for (const name of ['app.db', 'calm.db', 'fresh.db']) {
    await copyFile(join(templates, 'new.db'), join(staging, name));
  }
  await writeFile(join(data, 'plain.txt'), 'old', { mode: 0o640 });
  await writeFile(join(data, 'leave.txt'), 'never touched');
  await writeFile(join(data, 'removed.txt'), 'goes away');
  await writeFile(join(data, 'folder/inner.txt'), 'old inner');
  await writeFile(join(data, 'turns.txt'), 'a file still');
  await mkdir(join(staging, 'turns'));
  await writeFile(join(staging, 'turns/inner.txt'), 'in a directory now');
  await symlink('leave.txt', join(data, 'link'));
  await writeFile(join(staging, 'plain.txt'), 'new', { mode: 0o755 });
  await writeFile(join(staging, 'link'), 'a file now');
  await writeFile(join(staging, 'folder/other.txt'), 'new inner');
  await writeFile(join(staging, 'deep.txt'), 'deep');
  for (const name of ['plain.txt', 'app.db', 'calm.db', 'folder', '.']) {
    await utimes(join(data, name), OLD_TIME_SECONDS, OLD_TIME_SECONDS);
  }
  const item = (name: string, staged: string | null, family = false) => ({
    target: join(data, name),
    staged: staged === null ? null : join(staging, staged),
    family,
  });
  const items = [
    item('plain.txt', 'plain.txt'),
    item('app.db', 'app.db', true),
    item('link', 'link'),
    item('calm.db', 'calm.db', true),
    item('folder', 'folder'),
    item('fresh.db', 'fresh.db', true),
    item('turns.txt', 'turns'),
    item('removed.txt', null),
    item('made/deep/deep.txt', 'deep.txt'),
  ];
  const stateDirectory = join(options.stateParent ?? home, `state-${home.slice(-6)}`);
  return {
    home,
    data,
    request: {
      stateDirectory,
      reason: 'restore',
      jobId: null,
      sourceId: 'app',
      note: 'test swap',
      items: items.filter(
        ({ target }) => options.only?.some((name) => target === join(data, name)) ?? true,
      ),
      directories: [
        { path: join(data, 'made'), mode: 0o750, owner: null, mtimeNs: '1600000000000000000' },
      ],
    },
  };
}

export async function removeScenario(scenario: SwapScenario): Promise<void> {
  await rm(scenario.home, { recursive: true, force: true });
  await rm(scenario.request.stateDirectory, { recursive: true, force: true });
}
