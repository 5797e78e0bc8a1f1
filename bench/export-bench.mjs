/**
 * Exports and imports beside sqlite3's .dump and .import of SQL, tar and zip, in one run, on one application database.
 *
 *   npm run bench:export -- [--megabytes 1024] [--keep]
 *
 * Everything is done twice, on a database of a tenth of the size first: memory must not grow with the data. Prints one
 * table and writes it, with its conditions, to bench/export-bench.md. Peers that are not installed are left out.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { configure, project } from './running-daemon.mjs';
import { makeShopDatabase } from './shop-database.mjs';

const { values: options } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '1024' },
    keep: { type: 'boolean', default: false },
  },
});
const megabytes = Number(options.megabytes);
const bin = join(project, 'bin/holdfast');
const root = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));

/** The largest resident memory that any process below `pid` ever had, as the kernel counts it; in bytes. */
class Memory {
  #peaks = new Map();

  look(pid) {
    for (const each of [pid, ...descendants(pid)]) {
      try {
        const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${each}/status`, 'utf8'));
        if (peak !== null) this.#peaks.set(each, Number(peak[1]) * 1024);
      } catch {
        // It ended between two looks.
      }
    }
  }

  get bytes() {
    return Math.max(0, ...this.#peaks.values());
  }
}

function descendants(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')
        .split(' ')
        .filter(Boolean)
        .flatMap((child) => [Number(child), ...descendants(Number(child))]),
    );
  } catch {
    return [];
  }
}

/** Runs a command to its end: wall time in milliseconds, peak memory of its processes in bytes. */
async function run(program, args, { env = {}, cwd, input, output } = {}) {
  const start = performance.now();
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: [
      input === undefined ? 'ignore' : openSync(input, 'r'),
      output === undefined ? 'ignore' : openSync(output, 'w'),
      'pipe',
    ],
  });
  const memory = new Memory();
  const timer = setInterval(() => memory.look(child.pid), 20);
  let errors = '';
  child.stderr.on('data', (bytes) => {
    errors = (errors + bytes).slice(-2000);
  });
  const [code] = await once(child, 'exit');
  clearInterval(timer);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${errors}`);
  return { ms: performance.now() - start, bytes: memory.bytes };
}

async function isInstalled(program) {
  return run('sh', ['-c', `command -v ${program}`]).then(
    () => true,
    () => false,
  );
}

/** Every piece of work, by what it is called: Holdfast's way, and the peer's. */
async function measure(size) {
  const home = join(root, String(size));
  const data = join(home, 'data');
  mkdirSync(data, { recursive: true });
  const app = join(data, 'app.db');
  makeShopDatabase(app, size);
  const { config } = configure(home, [['app', data]]);
  const env = { HOLDFAST_CONFIG: config };
  const holdfast = (...args) => run(process.execPath, [bin, ...args], { env });
  await holdfast('backup');
  const at = (name) => join(home, name);
  const peer = async (program, args, places) =>
    (await isInstalled(program)) ? run(program, args, places) : null;
  const work = [
    [
      'database file out',
      () => holdfast('export', '--file', app, '--format', 'db', '--to', at('out.db')),
      () => peer('sqlite3', [app, `.backup '${at('peer.db')}'`]),
      'sqlite3 .backup',
    ],
    [
      'SQL text out, proven by importing it again',
      () =>
        holdfast(
          'export',
          'latest',
          '--database',
          'data/app.db',
          '--format',
          'sql',
          '--to',
          at('proven.sql'),
        ),
      null,
      '',
    ],
    [
      'SQL text out',
      () =>
        holdfast('export', '--file', app, '--format', 'sql', '--no-verify', '--to', at('out.sql')),
      () => peer('sqlite3', [app, '.dump'], { output: at('peer.sql') }),
      'sqlite3 .dump',
    ],
    [
      'SQL text in',
      () => holdfast('import', at('out.sql'), '--to', at('in-sql.db')),
      () => peer('sqlite3', [at('peer-in.db')], { input: at('peer.sql') }),
      'sqlite3 < dump',
    ],
    [
      'JSONL out',
      () => holdfast('export', '--file', app, '--format', 'jsonl', '--to', at('out.jsonl')),
      () =>
        peer('sqlite3', ['-json', app, 'SELECT id, customer, note, hex(payload) FROM orders'], {
          output: at('peer.json'),
        }),
      'sqlite3 -json',
    ],
    ['JSONL in', () => holdfast('import', at('out.jsonl'), '--to', at('in-jsonl.db')), null, ''],
    [
      'tar out',
      () => holdfast('export', 'latest', '--format', 'tar', '--to', at('out.tar')),
      () => peer('tar', ['-cf', at('peer.tar'), '-C', home, 'data']),
      'tar',
    ],
    [
      'tar.gz out',
      () => holdfast('export', 'latest', '--format', 'tar.gz', '--to', at('out.tar.gz')),
      () => peer('tar', ['-czf', at('peer.tar.gz'), '-C', home, 'data']),
      'tar -z',
    ],
    [
      'zip out',
      () => holdfast('export', 'latest', '--format', 'zip', '--to', at('out.zip')),
      () => peer('zip', ['-qr', at('peer.zip'), 'data'], { cwd: home }),
      'zip -r',
    ],
    [
      'tar in',
      () => holdfast('import', at('out.tar'), '--to', at('from-tar')),
      () =>
        peer('sh', [
          '-c',
          `mkdir '${at('peer-tar')}' && tar -xf '${at('peer.tar')}' -C '${at('peer-tar')}'`,
        ]),
      'tar -x',
    ],
    [
      'zip in',
      () => holdfast('import', at('out.zip'), '--to', at('from-zip')),
      () => peer('unzip', ['-q', at('peer.zip'), '-d', at('peer-zip')]),
      'unzip',
    ],
  ];
  const results = new Map();
  for (const [name, ours, theirs, peerName] of work) {
    const mine = await ours();
    const other = theirs === null ? null : await theirs();
    results.set(name, { mine, other, peerName });
    console.error(`${size} MB: ${name}: ${(mine.ms / 1000).toFixed(1)} s`);
  }
  const size_ = statSync(app).size;
  if (!options.keep) rmSync(home, { recursive: true, force: true });
  return { results, bytes: size_ };
}

const seconds = ({ ms }) => (ms / 1000).toFixed(2);
const mebibytes = (bytes) => Math.round(bytes / 2 ** 20);

const small = await measure(Math.max(8, Math.round(megabytes / 10)));
const large = await measure(megabytes);
const rows = [...large.results].map(([name, { mine, other, peerName }]) => {
  const before = small.results.get(name).mine;
  const ratio = other === null ? '–' : (mine.ms / other.ms).toFixed(2);
  const memory = `${mebibytes(before.bytes)} → ${mebibytes(mine.bytes)}`;
  return `| ${name} | ${seconds(mine)} | ${other === null ? '–' : `${seconds(other)} (${peerName})`} | ${ratio} | ${memory} |`;
});
const table = [
  '| work | Holdfast, s | peer, s | ratio | memory, MiB: a tenth → all of it |',
  '| --- | --- | --- | --- | --- |',
  ...rows,
].join('\n');
const text = `# Exports and imports

${table}

Written by \`npm run bench:export -- --megabytes ${megabytes}\`: a database of ${mebibytes(large.bytes)} MiB, and one of ${mebibytes(small.bytes)} MiB
for the first figure of memory, which is the largest that any process of the command ever had. Whole commands, once each,
warm cache; ${cpus().length} × ${cpus()[0].model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}. What Holdfast exports
is hashed, and what comes out of a snapshot is verified chunk by chunk as it is read; what it imports is checked
(\`integrity_check\`, foreign keys, footers) and synced. The peers do none of that.
`;
console.log(table);
writeFileSync(join(project, 'bench/export-bench.md'), text);
if (!options.keep) rmSync(root, { recursive: true, force: true });
