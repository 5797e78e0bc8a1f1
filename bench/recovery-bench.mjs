/**
 * What each way out of damage is worth, by kind of damage: opening the file and reading on, sqlite3's `.recover`, each
 * candidate of recovery, and the one that recovery takes.
 *
 *   node bench/recovery-bench.mjs [--seeds 3] [--kind TEXT]
 *
 * `.recover` needs a sqlite3 that has sqlite_dbpage: SQLITE3_RECOVER names one, else the one in the PATH is tried.
 * Prints the tables and, for all kinds, writes them with their conditions to bench/recovery-bench.md.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleSource } from './bundle-source.mjs';

const { values: options } = parseArgs({
  options: { seeds: { type: 'string', default: '3' }, kind: { type: 'string', default: '' } },
});
const seeds = Number(options.seeds);
const project = fileURLToPath(new URL('..', import.meta.url));
const CANDIDATES = ['undo-rot', 'replay', 'reindex', 'heal', 'salvage', 'roll-back'];

/** The generator and recovery as one bundle, as the programs are. */
async function loadTrials() {
  const outfile = await bundleSource(
    'recovery-bench',
    'recovery/testing/damage',
    `
        export { kinds } from './kinds.ts';
        export { shapeOf } from './shape.ts';
        export { findRecoverer, recoverBySqlite } from './sqlite-recover.ts';
        export { Trial } from './trial.ts';
        export { World } from './world.ts';
      `,
  );
  try {
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(outfile);
  }
}

/** Runs `.recover`, timed. */
function timeRecover({ recoverBySqlite }, recoverer, trial) {
  const startedMs = performance.now();
  const verdict = recoverBySqlite(recoverer, trial);
  return { ...verdict, durationMs: performance.now() - startedMs };
}

/** Every way out of one damage; null where the database has no place for it. */
async function tryKind(trials, world, kind, recoverer) {
  const trial = await trials.Trial.start(world, kind);
  if (trial === null) return null;
  const ways = new Map();
  ways.set('SELECT', trial.judgeSelect());
  if (recoverer !== null) ways.set('.recover', timeRecover(trials, recoverer, trial));
  for (const verdict of await trial.judgeCandidates()) ways.set(verdict.name, verdict);
  const outcome = await trial.recover();
  ways.set('recovery', outcome);
  return { bound: trial.unrecoverableRows, altersAtMost: kind.altersAtMost, ways, outcome };
}

function cell(results, way) {
  const cells = results.map((result) => {
    const verdict = result?.ways.get(way);
    if (verdict === undefined) return '–';
    const { wrong, resurrected, fabricated, altered } = verdict;
    const back = resurrected > 0 ? `+${resurrected}` : '';
    const strange = fabricated + altered > 0 ? `!${fabricated + altered}` : '';
    return `${wrong}${back}${strange}`;
  });
  return cells.every((text) => text === '–') ? '–' : cells.join(' / ');
}

function outcomes(results) {
  const states = results.map((result) => {
    if (result === null) return '–';
    const { state, reason } = result.outcome;
    return state === 'recovered' ? reason.split(':')[0] : state;
  });
  return [...new Set(states)].length === 1 ? states[0] : states.join(' / ');
}

const line = (cells) => `| ${cells.join(' | ')} |`;

function rowsTable(measured, ways) {
  const head = ['damage', 'at best', ...ways, 'taken'];
  const rows = measured.map(({ name, results }) =>
    line([
      name,
      results.map((result) => result?.bound ?? '–').join(' / '),
      ...ways.map((way) => (way === 'recovery' ? `**${cell(results, way)}**` : cell(results, way))),
      outcomes(results),
    ]),
  );
  return [line(head), line(head.map(() => '---')), ...rows].join('\n');
}

function timesTable(measured, ways) {
  const all = measured.flatMap(({ results }) => results.filter((result) => result !== null));
  const rows = ways.map((way) => {
    const times = all.flatMap(({ ways: found }) => found.get(way)?.durationMs ?? []);
    if (times.length === 0) return line([way, '0', '–', '–']);
    times.sort((left, right) => left - right);
    const half = times[Math.floor(times.length / 2)];
    return line([way, times.length, `${half.toFixed(0)} ms`, `${times.at(-1).toFixed(0)} ms`]);
  });
  return [
    line(['way', 'times', 'median', 'longest']),
    line(['---', '---', '---', '---']),
    ...rows,
  ].join('\n');
}

async function measure(trials, recoverer, written) {
  const chosen = trials.kinds.filter(
    ({ name, needsWrites }) => name.includes(options.kind) && (written || !needsWrites),
  );
  const measured = chosen.map(({ name }) => ({ name, results: [] }));
  for (let seed = 0; seed < seeds; seed += 1) {
    const world = await trials.World.create(trials.shapeOf(seed, written));
    try {
      for (const [index, kind] of chosen.entries()) {
        measured[index].results.push(await tryKind(trials, world, kind, recoverer));
      }
    } finally {
      await world.remove();
    }
  }
  return measured.filter(({ results }) => results.some((result) => result !== null));
}

/** Recovery took a way that leaves more rows wrong than another that passed, or than `.recover`. */
function broken(measured) {
  return measured.flatMap(({ name, results }) =>
    results.flatMap((result, seed) => {
      if (result === null || result.outcome.state !== 'recovered') return [];
      const better = ['.recover', ...CANDIDATES].filter(
        (way) => result.ways.get(way)?.wrong + result.altersAtMost < result.outcome.wrong,
      );
      return better.map((way) => `${name}, seed ${seed}: ${way} would have lost fewer rows`);
    }),
  );
}

const trials = await loadTrials();
const recoverer = trials.findRecoverer(process.env.SQLITE3_RECOVER ?? 'sqlite3');
const written = await measure(trials, recoverer, true);
const still = await measure(trials, recoverer, false);
const peers = recoverer === null ? ['SELECT'] : ['SELECT', '.recover'];
const ways = [...peers, ...CANDIDATES, 'recovery'];
const peer =
  recoverer === null
    ? '`.recover` was not available: no sqlite3 with sqlite_dbpage was found.'
    : `\`.recover\` is that of sqlite3 ${recoverer.version}.`;
const report = `# What recovery loses

Rows not exactly right (missing, of an older state, or altered), one number for each of ${seeds} databases; \`+n\`: n
deleted rows are there again; \`!n\`: n rows as they never were; –: not built, not passed, or no place for
this damage. *At best*: rows whose last bytes are gone and that the snapshot does not have. ${peer}

## With writes since the snapshot

${rowsTable(written, ways)}

## With nothing written since the snapshot

${rowsTable(still, ways)}

## Time

${timesTable([...written, ...still], ways.slice(1))}

Conditions: generated databases of 0.3–3 MB and some 2000 rows in five tables: AUTOINCREMENT, WITHOUT ROWID, overflow,
full-text search, indexes, dead rows in free pages; pages of 512 to 65,536 bytes, three text encodings, with and without
auto_vacuum, as the seed has it. Since the snapshot some 100 rows were added, 30 changed and 10 deleted. Damage keeps
the file's times. *recovery* is a forced check with all that follows it, from the first look to the
installed file, quarantine included. What passes every check is left alone: *ok*.

${cpus().length} × ${cpus()[0].model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}.

Command: \`SQLITE3_RECOVER=sqlite3 node bench/recovery-bench.mjs --seeds ${seeds}\`
`;
console.log(report);
if (options.kind === '') writeFileSync(join(project, 'bench/recovery-bench.md'), report);
const promises = broken([...written, ...still]);
for (const promise of promises) console.error(`Broken promise: ${promise}`);
if (promises.length > 0) process.exitCode = 1;
