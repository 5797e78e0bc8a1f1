/**
 * When a chunk that changes with every snapshot should be stored in full again: bytes stored by several rules, by a model
 * of nothing but the codec and the rule. The same figures on every machine.
 *
 *   node bench/delta-policy-bench.mjs [--rounds 200]
 *
 * Prints one table and writes it to bench/delta-policy-bench.md.
 */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { brotliCompressSync, constants } from 'node:zlib';

const { values: options } = parseArgs({ options: { rounds: { type: 'string', default: '200' } } });
const rounds = Number(options.rounds);
const CHUNK_BYTES = 65_536;
const OVERHEAD_BYTES = 164;
const TINY_BYTES = CHUNK_BYTES / 32;
const params = { [constants.BROTLI_PARAM_QUALITY]: 1, [constants.BROTLI_PARAM_LGWIN]: 18 };
const compressed = (bytes) => Math.min(brotliCompressSync(bytes, { params }).length, bytes.length);

let state = 0;
function random(below) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
}

function xor(left, right) {
  const result = Buffer.alloc(left.length);
  for (let index = 0; index < left.length; index++) result[index] = left[index] ^ right[index];
  return result;
}

function chunkOfRows({ rowBytes, randomPart }) {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  for (let row = 0; row < CHUNK_BYTES / rowBytes; row++) {
    chunk.write(
      `order ${row} customer ${random(1000)} `.repeat(40).slice(0, rowBytes),
      row * rowBytes,
    );
    for (let index = 0; index < rowBytes * randomPart; index++) {
      chunk[(row + 1) * rowBytes - 1 - index] = random(256);
    }
  }
  return chunk;
}

const setField = (chunk, at) => chunk.writeUInt32BE(random(2 ** 31), at + 8);
const changes = {
  fields: (chunk, rowBytes, rows) => {
    for (let n = 0; n < rows; n++) setField(chunk, random(CHUNK_BYTES / rowBytes) * rowBytes);
  },
  counters: (chunk, rowBytes, rows) => {
    for (let n = 0; n < rows; n++) setField(chunk, random(4) * rowBytes);
  },
  quarters: (chunk, rowBytes, rows) => {
    for (let n = 0; n < rows; n++) {
      const at = random(CHUNK_BYTES / rowBytes) * rowBytes;
      for (let index = 0; index < rowBytes / 4; index++) chunk[at + index] = random(256);
    }
  },
  inTurns: (chunk, rowBytes, every, round) => {
    if (round % every === 0) changes.quarters(chunk, rowBytes, 10);
    else setField(chunk, 0);
  },
};

/** Told everything that a store could know; true: a new base. */
const rules = {
  half: ({ delta, full }) => delta >= full / 2,
  quarter: ({ delta, full }) => delta >= full / 4,
  sum: ({ delta, full, sum }) => delta >= full / 2 || sum + delta >= full,
  lot: ({ delta, full, sum, step, lot }) =>
    delta >= full / 2 ||
    (sum > 0 && delta >= TINY_BYTES && lot() < (delta - step()) / (full + OVERHEAD_BYTES)),
};

function stored(rows, change, count, rule) {
  state = 777;
  let before = chunkOfRows(rows);
  let base = before;
  let total = 0;
  let sum = 0;
  let bases = 0;
  for (let round = 1; round <= rounds; round++) {
    const now = Buffer.from(before);
    changes[change](now, rows.rowBytes, count, round);
    const [delta, full] = [compressed(xor(now, base)), compressed(now)];
    const step = () => compressed(xor(now, before));
    const lot = () => createHash('sha256').update(now).digest().readUInt32BE(4) / 2 ** 32;
    if (rule({ delta, full, sum, step, lot })) {
      total += full + OVERHEAD_BYTES;
      base = now;
      sum = 0;
      bases += 1;
    } else {
      total += delta + OVERHEAD_BYTES;
      sum += delta + OVERHEAD_BYTES;
    }
    before = now;
  }
  return `${(total / 1024).toFixed(0)} KB (${bases})`;
}

const random1k = { rowBytes: 1024, randomPart: 0.5 };
const text1k = { rowBytes: 1024, randomPart: 0.1 };
const small = { rowBytes: 128, randomPart: 0.1 };
const cases = [
  ['rows of 1 KiB, half random; a field of 5 rows', random1k, 'fields', 5],
  ['the same; 3 of the same 4 counters', random1k, 'counters', 3],
  ['the same; a quarter of one row', random1k, 'quarters', 1],
  ['the same; a quarter of 5 rows', random1k, 'quarters', 5],
  ['the same; 10 rows every other time, else one field', random1k, 'inTurns', 2],
  ['rows of 1 KiB, mostly text; a quarter of one row', text1k, 'quarters', 1],
  ['the same; a quarter of 5 rows', text1k, 'quarters', 5],
  ['the same; 10 rows every other time, else one field', text1k, 'inTurns', 2],
  ['the same; 10 rows every tenth time, else one field', text1k, 'inTurns', 10],
  ['rows of 128 bytes, mostly text; a field of 5 rows', small, 'fields', 5],
  ['the same; a field of 40 rows', small, 'fields', 40],
  ['the same; a quarter of 5 rows', small, 'quarters', 5],
];
const names = Object.keys(rules);
const table = [
  `| one chunk; with each snapshot changes | ${names.join(' | ')} |`,
  `| --- |${' --- |'.repeat(names.length)}`,
  ...cases.map(([what, rows, change, count]) => {
    const cells = names.map((name) => stored(rows, change, count, rules[name]));
    return `| ${what} | ${cells.join(' | ')} |`;
  }),
].join('\n');
process.stdout.write(`${table}\n`);
const text = `# When a hot chunk gets a new base

${table}

A chunk of 64 KiB changed ${rounds} times, a snapshot each; what is stored after the first of it, and in brackets how often in full.
\`half\` and \`quarter\`: when the delta is that part of a full record; \`sum\`: when all deltas since the last base add up to a full
record, which would have to be kept; \`lot\`: the rule of the store (docs/performance.md).

Command: \`node bench/delta-policy-bench.mjs --rounds ${rounds}\`
`;
writeFileSync(fileURLToPath(new URL('./delta-policy-bench.md', import.meta.url)), text);
