/**
 * What a repository of many snapshots costs those who only look at it: listing, pages over the socket, choosing one, and
 * the plan of a retention policy; what one more snapshot costs, and a prune of half of the packs.
 *
 *   node build.mjs && node bench/many-snapshots-bench.mjs [--snapshots 10000] [--packs 1000]
 *
 * The manifests are published without waiting for the disk; everything measured is done as in use. Prints the table and
 * writes it, with its conditions, to bench/many-snapshots-bench.md.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleSource } from './bundle-source.mjs';
import { peakOfWorkers } from './peak-memory.mjs';
import { configure, startDaemon } from './running-daemon.mjs';

const { values: options } = parseArgs({
  options: {
    snapshots: { type: 'string', default: '10000' },
    packs: { type: 'string', default: '1000' },
  },
});
const snapshots = Number(options.snapshots);
const packs = Number(options.packs);

async function load() {
  const outfile = await bundleSource(
    'many-snapshots-bench',
    '',
    `
        export { EMPTY_CONTENT } from './store/chunks/content.ts';
        export { encodeManifest } from './store/manifests/manifest-file.ts';
        export { openReader } from './store/repository.ts';
        export { fileEntry, manifestOf } from './store/testing/manifests.ts';
        export { activity, commitFile, scratchRepository, writerOf } from './store/testing/scratch-repository.ts';
        export { parseRetention } from './config/retention-policy.ts';
        export { planRetention } from './retention/plan-retention.ts';
        export { candidatesOf } from './retention/source-plan.ts';
        export { NO_GUARDS } from './retention/candidate.ts';
      `,
  );
  try {
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(outfile);
  }
}

const RUNS = 9;

/** Median of several runs, in milliseconds. */
async function median(run) {
  const times = [];
  for (let round = 0; round < RUNS; round += 1) {
    const startedMs = performance.now();
    await run(round);
    times.push(performance.now() - startedMs);
  }
  return times.sort((left, right) => left - right)[Math.floor(RUNS / 2)];
}

/** By a daemon, as it is done; whole command. */
async function prune() {
  const home = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  mkdirSync(join(home, 'data'));
  const settings = { repositoryDirectory: path };
  const daemon = await startDaemon(configure(home, [['app', join(home, 'data')]], settings));
  try {
    return peakOfWorkers(daemon.child.pid, () => daemon.command('prune', '--yes', '--json'));
  } finally {
    await daemon.end();
    rmSync(home, { recursive: true });
  }
}

const PACK_BYTES = 200_000;
const parts = await load();
const { path, dispose } = await parts.scratchRepository();
try {
  const oneMore = async (count) => {
    const writer = await parts.writerOf(path);
    const startedMs = performance.now();
    await parts.commitFile(writer, Buffer.from(`content ${count}`), null, count);
    const durationMs = performance.now() - startedMs;
    await writer.close();
    return durationMs;
  };
  const few = [];
  for (let count = 0; count < RUNS; count += 1) few.push(await oneMore(count));

  const writer = await parts.writerOf(path);
  const tree = await writer.writeTree([parts.fileEntry('a', parts.EMPTY_CONTENT)]);
  await writer.commitSnapshot((after) => parts.manifestOf(tree, after), parts.activity);
  const statistics = writer.statistics();
  await writer.close();
  const startMs = Date.UTC(2026, 0, 1);
  for (let index = 0; index < snapshots; index += 1) {
    const capturedAt = new Date(startMs + index * 1_800_000).toISOString();
    const manifest = parts.manifestOf(tree, statistics, { capturedAt, origin: 'schedule' });
    const { id, bytes } = parts.encodeManifest({ keys: null }, manifest);
    writeFileSync(join(path, 'snapshots', `${id}.json`), bytes);
  }

  // Of every second of these nothing is kept.
  for (let count = 0; count < packs; count += 1) {
    const writer = await parts.writerOf(path);
    const { id } = await parts.commitFile(writer, randomBytes(PACK_BYTES), null, 20_000 + count);
    await writer.close();
    if (count % 2 === 0) rmSync(join(path, 'snapshots', `${id}.json`));
  }

  const rows = [];
  const reader = await parts.openReader(path);
  const heapBefore = process.memoryUsage().heapUsed;
  const first = performance.now();
  reader.listSnapshots();
  rows.push(['list, the first time, all manifests read', performance.now() - first]);
  rows.push(['list', await median(() => reader.listSnapshots())]);
  rows.push(['`latest`', await median(() => reader.resolveSnapshot('latest'))]);
  const { id } = reader.listSnapshots().at(-5);
  rows.push(['a unique prefix', await median(() => reader.resolveSnapshot(id.slice(0, 12)))]);
  const policy = parts.parseRetention({
    keepLast: 10,
    keepHourly: 24,
    keepDaily: 7,
    keepWeekly: 5,
    keepMonthly: 12,
    keepYearly: -1,
    timeZone: 'Europe/Paris',
  });
  const plan = async () => {
    const candidates = await parts.candidatesOf(reader.listSnapshots(), reader);
    return parts.planRetention(candidates, policy, Date.now() + 1e12, parts.NO_GUARDS);
  };
  rows.push(['plan of a policy with six rules', await median(plan)]);
  globalThis.gc?.();
  const heapMegabytes = (process.memoryUsage().heapUsed - heapBefore) / 2 ** 20;
  reader.close();
  const many = [];
  for (let count = 0; count < RUNS; count += 1) many.push(await oneMore(10_000 + count));
  const middle = (list) => list.sort((left, right) => left - right)[Math.floor(RUNS / 2)];
  rows.push(['one more snapshot, in an empty repository', middle(few)]);
  rows.push([`one more snapshot, in one of ${snapshots}`, middle(many)]);
  const pruned = await prune();
  rows.push([`prune, half of ${packs} packs`, pruned.ms]);

  const table = [
    `| with ${snapshots} snapshots | median |`,
    '| --- | --- |',
    ...rows.map(([what, ms]) => `| ${what} | ${ms.toFixed(1)} ms |`),
  ].join('\n');
  const conditions = `Memory kept for the list: ${heapMegabytes.toFixed(0)} MiB; of the worker that prunes, at most: ${(pruned.memoryBytes / 2 ** 20).toFixed(0)} MiB. Half-hourly snapshots of one source; medians of ${RUNS} runs but for the first list, which reads
every manifest because the catalog was not told of them.

${cpus().length} × ${cpus()[0].model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}.

Command: \`node bench/many-snapshots-bench.mjs --snapshots ${snapshots} --packs ${packs}\``;
  console.log(table);
  writeFileSync(
    new URL('many-snapshots-bench.md', import.meta.url),
    `# Many snapshots\n\n${table}\n\n${conditions}\n`,
  );
} finally {
  await dispose();
}
