/**
 * What snapshots add to a repository, in bytes of all its files: nothing here depends on how fast the machine is, and
 * the same seed gives the same figures.
 *
 *   npm run bench:bytes -- [--megabytes 256] [--rounds 200] [--seed 1]
 *
 * Prints one table and writes it to bench/bytes-added-bench.md.
 */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleSource } from './bundle-source.mjs';

const { values: options } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '256' },
    rounds: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
  },
});
const megabytes = Number(options.megabytes);
const rounds = Number(options.rounds);
const seed = Number(options.seed);
/** Of a row in the database, its share of the index included. */
const ROW_BYTES = 880;

async function load() {
  const outfile = await bundleSource(
    'bytes-added-bench',
    'capture/testing',
    `export { GrowingApplication } from './growing-application.ts';`,
  );
  try {
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(outfile);
  }
}

const { GrowingApplication } = await load();
const root = mkdtempSync(join(tmpdir(), 'holdfast-bytes-'));

function sumOf(all) {
  const sum = {
    packBytes: 0,
    manifestBytes: 0,
    catalogBytes: 0,
    totalBytes: 0,
    chunksNew: 0,
    chunksDelta: 0,
  };
  for (const each of all) for (const name of Object.keys(sum)) sum[name] += each[name];
  return sum;
}

async function repeat(times, run) {
  const all = [];
  for (let round = 0; round < times; round++) all.push(await run(round));
  return sumOf(all);
}

const rows = [];
const add = (what, added, beside = '') => rows.push({ what, added, beside });
const kilobytes = (bytes) => `${(bytes / 1024).toFixed(1)} KB`;

try {
  const count = Math.round((megabytes * 2 ** 20) / ROW_BYTES);
  const large = await GrowingApplication.create(join(root, 'large'), { rows: count, seed });
  const databaseBytes = statSync(large.databasePath).size;
  add('first snapshot', await large.capture());
  add('nothing changed', await large.capture());
  const perUpdates = await repeat(3, () => {
    large.update(1000);
    return large.capture();
  });
  add('1,000 random updates, three times', perUpdates);
  const compressed = large.append(1000);
  const appended = await large.capture();
  const share = (appended.totalBytes / compressed).toFixed(2);
  add(
    '1,000 rows appended',
    appended,
    `${kilobytes(compressed)} compressed by themselves: ${share} times that`,
  );
  const perIndexed = await repeat(3, () => {
    large.updateIndexed(1000);
    return large.capture();
  });
  add('1,000 updates of an indexed field, three times', perIndexed);
  large.update(1);
  add('one row updated', await large.capture());

  for (const [what, change] of [
    [`one hot row set, ${rounds} snapshots`, (hot) => hot.update(3, 60)],
    [`payloads of 20 rows of 60 written anew, ${rounds} snapshots`, (hot) => hot.rewrite(20, 60)],
    [`20 random updates, ${rounds} snapshots`, (hot) => hot.update(20)],
  ]) {
    const hot = await GrowingApplication.create(join(root, `hot-${rows.length}`), {
      rows: 10_000,
      seed,
    });
    await hot.capture();
    add(
      `8.8 MB, ${what}`,
      await repeat(rounds, () => {
        change(hot);
        return hot.capture();
      }),
    );
  }

  const table = [
    '|  | packs | manifests | catalog | together | chunks in full | as deltas |  |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows.map(({ what, added, beside }) => {
      const { packBytes, manifestBytes, catalogBytes, totalBytes, chunksNew, chunksDelta } = added;
      const sizes = [packBytes, manifestBytes, catalogBytes, totalBytes].map(kilobytes);
      return `| ${[what, ...sizes, chunksNew, chunksDelta, beside].join(' | ')} |`;
    }),
  ].join('\n');
  const text = `# What snapshots add to a repository

${table}

A database of ${(databaseBytes / 2 ** 20).toFixed(0)} MB of orders, rows of some ${ROW_BYTES} bytes, half text and half bytes that do not compress, one index;
brotli; seed ${seed}. Bytes are the growth of all files: packs with their headers and footers, manifests, catalog. The catalog
grows by whole pages, and can be made anew from the rest.

Command: \`npm run bench:bytes -- --megabytes ${megabytes} --rounds ${rounds} --seed ${seed}\`
`;
  process.stdout.write(`${table}\n`);
  writeFileSync(fileURLToPath(new URL('./bytes-added-bench.md', import.meta.url)), text);
} finally {
  rmSync(root, { recursive: true, force: true });
}
