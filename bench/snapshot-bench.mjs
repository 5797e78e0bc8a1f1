/**
 * Holdfast beside restic, borg and sqlite3's .backup, in one run, on one application database.
 *
 *   npm run bench -- [--megabytes 1024] [--updates 1000] [--keep]
 *
 * Prints one table and writes it, with its conditions, to bench/snapshot-bench.md. Peers that are not installed
 * are left out and named. The database is still, so that the peers, which copy files as they find them, copy a
 * consistent one: they are compared at what they are good at.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Database from 'better-sqlite3';
import { configure, project, run, startDaemon } from './running-daemon.mjs';
import { makeShopDatabase } from './shop-database.mjs';

const { values: options } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '1024' },
    updates: { type: 'string', default: '1000' },
    keep: { type: 'boolean', default: false },
  },
});
const megabytes = Number(options.megabytes);
const updates = Number(options.updates);
const root = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
const data = join(root, 'data');
const databasePath = join(data, 'app.db');

function directoryBytes(path) {
  return readdirSync(path, { recursive: true }).reduce((sum, name) => {
    const stat = statSync(join(path, name));
    return sum + (stat.isFile() ? stat.size : 0);
  }, 0);
}

/** The application's work between two snapshots: one number changed in each of `updates` random rows. */
function updateRows(rows, round) {
  const database = new Database(databasePath);
  const update = database.prepare('UPDATE orders SET customer = customer + 1 WHERE id = ?');
  let state = 7 + round;
  database.transaction(() => {
    for (let n = 0; n < updates; n++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      update.run(1 + Math.floor((state / 2 ** 32) * rows));
    }
  })();
  database.close();
}

/** Each contender: where its repository lies, and its five commands. */
async function holdfast() {
  const daemon = await startDaemon(configure(join(root, 'holdfast'), [['app', data]]));
  const { command, repository, end } = daemon;
  return {
    name: 'Holdfast',
    repository,
    snapshot: () => command('backup', '--wait', '--json'),
    restore: (target) => command('restore', 'latest', '--to', target, '--json'),
    check: () => command('check', '--read-data-subset', '100%', '--json'),
    end,
  };
}

function installed(program) {
  try {
    return run(program, ['--version']).stdout.split('\n')[0];
  } catch {
    try {
      return run(program, ['version']).stdout.split('\n')[0];
    } catch {
      return null;
    }
  }
}

function restic() {
  const repository = join(root, 'restic');
  const env = {
    RESTIC_REPOSITORY: repository,
    RESTIC_PASSWORD: 'bench',
    RESTIC_CACHE_DIR: join(root, 'restic-cache'),
  };
  run('restic', ['init'], env);
  return {
    name: 'restic',
    repository,
    snapshot: () => run('restic', ['backup', '--quiet', data], env),
    restore: (target) => run('restic', ['restore', 'latest', '--quiet', '--target', target], env),
    check: () => run('restic', ['check', '--quiet', '--read-data'], env),
    end: () => {},
  };
}

function borg() {
  const repository = join(root, 'borg');
  const env = {
    BORG_REPO: repository,
    BORG_BASE_DIR: join(root, 'borg-base'),
    BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
  };
  run('borg', ['init', '--encryption', 'none'], env);
  let count = 0;
  return {
    name: 'borg',
    repository,
    snapshot: () => run('borg', ['create', `::snapshot-${++count}`, data], env),
    restore: (target) => {
      mkdirSync(target);
      return run('sh', ['-c', `cd '${target}' && borg extract ::snapshot-${count}`], env);
    },
    check: () => run('borg', ['check', '--verify-data'], env),
    end: () => {},
  };
}

/** Whole copies: what one has without a tool. */
function sqliteBackup() {
  const repository = join(root, 'copies');
  mkdirSync(repository);
  let count = 0;
  const newest = () => join(repository, `${count}.db`);
  return {
    name: 'sqlite3 .backup',
    repository,
    snapshot: () => {
      count += 1;
      return run('sqlite3', [databasePath, `.backup '${newest()}'`]);
    },
    restore: (target) => {
      mkdirSync(target);
      return run('sqlite3', [newest(), `.backup '${join(target, 'app.db')}'`]);
    },
    check: () => run('sqlite3', [newest(), 'PRAGMA integrity_check']),
    end: () => {},
  };
}

function measure(contender, rows) {
  const figures = { name: contender.name };
  const snapshot = (label) => {
    const before = directoryBytes(contender.repository);
    const { ms } = contender.snapshot();
    figures[`${label}Ms`] = ms;
    figures[`${label}Bytes`] = directoryBytes(contender.repository) - before;
  };
  snapshot('first');
  snapshot('unchanged');
  updateRows(rows, figures.name.length);
  snapshot('updated');
  const target = join(root, 'restored');
  figures.restoreMs = contender.restore(target).ms;
  rmSync(target, { recursive: true });
  figures.checkMs = contender.check().ms;
  return figures;
}

const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
const mega = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;

function table(all) {
  const head = [
    '',
    'first snapshot',
    'stored',
    'unchanged',
    'added',
    `after ${updates} updates`,
    'added',
    'restore',
    'check, all data',
  ];
  const rows = all.map((each) => [
    each.name,
    seconds(each.firstMs),
    mega(each.firstBytes),
    seconds(each.unchangedMs),
    mega(each.unchangedBytes),
    seconds(each.updatedMs),
    mega(each.updatedBytes),
    seconds(each.restoreMs),
    seconds(each.checkMs),
  ]);
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

try {
  mkdirSync(data);
  const rows = makeShopDatabase(databasePath, megabytes);
  const databaseBytes = statSync(databasePath).size;
  const versions = {
    restic: installed('restic'),
    borg: installed('borg'),
    sqlite3: installed('sqlite3'),
  };
  const contenders = [await holdfast()];
  if (versions.restic !== null) contenders.push(restic());
  if (versions.borg !== null) contenders.push(borg());
  if (versions.sqlite3 !== null) contenders.push(sqliteBackup());
  const results = [];
  for (const contender of contenders) {
    results.push(measure(contender, rows));
    await contender.end();
  }
  const missing = Object.keys(versions).filter((name) => versions[name] === null);
  const report = `# Snapshots beside peers

${table(results)}

Conditions: one database of ${mega(databaseBytes)} (${rows} rows of text and random bytes, one index), ${updates} random
single-row updates between the second and third snapshot; whole commands timed once each, the page cache warm; bytes
are what the repository directory grew by. Holdfast's times include the client and a running daemon's job, and its
snapshots include SQLite's \`quick_check\`, on which its restore relies; no peer checks a database. restic encrypts, borg was run without encryption, \`.backup\` keeps whole copies and its check reads the newest alone.

${cpus().length} × ${cpus()[0].model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version};
${Object.values(versions)
  .filter((version) => version !== null)
  .join('; ')}${missing.length > 0 ? `; not installed: ${missing.join(', ')}` : ''}.

Command: \`npm run bench -- --megabytes ${megabytes} --updates ${updates}\`
`;
  console.log(report);
  if (megabytes >= 1024) writeFileSync(join(project, 'bench/snapshot-bench.md'), report);
  const [ours] = results;
  if (megabytes <= 1100 && updates <= 1000 && ours.updatedBytes > 1.5e6) {
    console.error(
      `Broken promise: ${mega(ours.updatedBytes)} added by ${updates} updates; at most 1.5 MB.`,
    );
    process.exitCode = 1;
  }
} finally {
  if (options.keep) console.log(`Kept: ${root}`);
  else if (existsSync(root)) rmSync(root, { recursive: true, force: true });
}
