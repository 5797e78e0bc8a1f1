/**
 * Holdfast beside restic on many small files: first snapshot, unchanged snapshot, restore.
 *
 *   npm run bench:small-files -- [--files 20000] [--rounds 3]
 *
 * Each round has fresh repositories and alternates who comes first; the table shows medians. Prints one table and
 * writes it, with its conditions, to bench/small-files-bench.md.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { configure, median, project, run, startDaemon } from './running-daemon.mjs';

const { values: options } = parseArgs({
  options: {
    files: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '3' },
  },
});
const files = Number(options.files);
const rounds = Number(options.rounds);
const root = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
const data = join(root, 'data');

/** Text of random words, a hundred files a directory, the same in every run. */
function makeFiles() {
  let state = 42;
  const random = (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const words = Array.from({ length: 4096 }, () => random(2 ** 31).toString(36));
  let bytes = 0;
  for (let n = 0; n < files; n++) {
    const directory = join(data, `d${Math.floor(n / 100)}`);
    if (n % 100 === 0) mkdirSync(directory, { recursive: true });
    const text = Array.from({ length: 20 + random(500) }, () => words[random(4096)]).join(' ');
    bytes += text.length;
    writeFileSync(join(directory, `f${n}.txt`), text);
  }
  return bytes;
}

async function holdfast(round) {
  const daemon = await startDaemon(configure(join(root, `holdfast-${round}`), [['app', data]]));
  return {
    name: 'Holdfast',
    snapshot: () => daemon.command('backup', '--wait', '--json'),
    restore: (target) => daemon.command('restore', 'latest', '--to', target, '--json'),
    end: daemon.end,
  };
}

async function restic(round) {
  const env = {
    RESTIC_REPOSITORY: join(root, `restic-${round}`),
    RESTIC_PASSWORD: 'bench',
    RESTIC_CACHE_DIR: join(root, `restic-cache-${round}`),
  };
  run('restic', ['init'], env);
  return {
    name: 'restic',
    snapshot: () => run('restic', ['backup', '--quiet', data], env),
    restore: (target) => run('restic', ['restore', 'latest', '--quiet', '--target', target], env),
    end: async () => {},
  };
}

/** Each step of both contenders, next to each other, so that a busy moment of the machine meets both. */
async function measureRound(round) {
  const contenders = [await holdfast(round), await restic(round)];
  if (round % 2 === 1) contenders.reverse();
  const figures = new Map(contenders.map(({ name }) => [name, {}]));
  const step = (label, work) => {
    for (const contender of contenders) figures.get(contender.name)[label] = work(contender).ms;
  };
  step('first', ({ snapshot }) => snapshot());
  step('unchanged', ({ snapshot }) => snapshot());
  step('restore', ({ name, restore }) => restore(join(root, `restored-${name}-${round}`)));
  for (const contender of contenders) await contender.end();
  for (const { name } of contenders)
    rmSync(join(root, `restored-${name}-${round}`), { recursive: true });
  return figures;
}

const STEPS = ['first', 'unchanged', 'restore'];
const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;

function table(all) {
  const middle = (name, label) => median(all.map((figures) => figures.get(name)[label]));
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    line(['', 'first snapshot', 'unchanged', 'restore']),
    line(['---', '---', '---', '---']),
    ...['Holdfast', 'restic'].map((name) =>
      line([name, ...STEPS.map((label) => seconds(middle(name, label)))]),
    ),
    line([
      'Holdfast ÷ restic',
      ...STEPS.map((label) => (middle('Holdfast', label) / middle('restic', label)).toFixed(2)),
    ]),
  ].join('\n');
}

try {
  const bytes = makeFiles();
  const all = [];
  for (let round = 0; round < rounds; round++) all.push(await measureRound(round));
  const report = `# ${files.toLocaleString('en')} small files beside restic

${table(all)}

Conditions: ${files} text files of ${(bytes / files / 1000).toFixed(1)} KB on average (${(bytes / 1e6).toFixed(0)} MB), a hundred a directory; medians of ${rounds} rounds with fresh
repositories, the contenders taking turns step by step; whole commands, the page cache warm. Holdfast's times include
the client and a running daemon's job. A restore by Holdfast ends when every file is synced to the medium.

${cpus().length} × ${cpus()[0].model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version};
${run('restic', ['version']).stdout.trim()}.

Command: \`npm run bench:small-files -- --files ${files} --rounds ${rounds}\`
`;
  console.log(report);
  if (files >= 20_000) writeFileSync(join(project, 'bench/small-files-bench.md'), report);
} finally {
  rmSync(root, { recursive: true, force: true });
}
