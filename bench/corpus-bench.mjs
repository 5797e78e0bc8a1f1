/**
 * What is read of the databases of the SQLite Forensic Corpus, version 2.0 (Nemetz, Schmitt, Freiling; CC0), damaged and
 * undamaged, against their truth keys. The corpus is not part of this project: it is given by its path.
 *
 *   node bench/corpus-bench.mjs --corpus DIR [--json]
 *
 * HOLDFAST_CORPUS names the directory too. Each database is read in a process of its own, bounded in time and memory.
 * Prints the table and writes it to bench/corpus-bench.md; with --json, prints the verdicts and writes nothing.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleSource } from './bundle-source.mjs';

const { values: options } = parseArgs({
  options: {
    corpus: { type: 'string', default: process.env.HOLDFAST_CORPUS ?? '' },
    json: { type: 'boolean', default: false },
  },
});
const project = fileURLToPath(new URL('..', import.meta.url));
const TIMEOUT_MS = 60_000;
const HEAP_MEBIBYTES = 128;

/** The reader as one program, which prints the verdict on one database. */
async function buildReader() {
  const outfile = await bundleSource(
    'corpus-bench',
    'recovery/testing/corpus',
    `
        import { tryCorpusDatabase } from './trial.ts';
        const [database, key] = process.argv.slice(2);
        console.log(JSON.stringify(await tryCorpusDatabase(database, key)));
      `,
  );
  return outfile;
}

/** Each database with its key, as `01-02.db` or, manipulated, `11-02_antifor.db` beside `11-02.xml`. */
function* databasesOf(corpus) {
  const groups = readdirSync(corpus, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  for (const group of groups.sort()) {
    for (const file of readdirSync(join(corpus, group)).sort()) {
      const name = /^(\w\w-\d\d)(?:_antifor)?\.db$/.exec(file)?.[1];
      const key = join(corpus, group, `${name}.xml`);
      if (name !== undefined && existsSync(key)) {
        yield { group, name, database: join(corpus, group, file), key };
      }
    }
  }
}

function read(reader, { group, name, database, key }) {
  const heap = `--max-old-space-size=${HEAP_MEBIBYTES}`;
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [heap, reader, database, key],
    {
      encoding: 'utf8',
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    },
  );
  if (status === 0) return { group, name, ...JSON.parse(stdout), failed: null };
  return { group, name, failed: signal === null ? stderr.slice(-1000) : `killed by ${signal}` };
}

const count = ({ right, missing, wrong, deleted }) =>
  `${right} / ${missing} / ${wrong}${deleted > 0 ? ` (${deleted} deleted)` : ''}`;

const line = (cells) => `| ${cells.join(' | ')} |`;

const whole = (reading) => reading.missing === 0 && reading.wrong === 0;

/** Databases of a group that came out alike and whole share a line. */
function linesOf(verdicts) {
  const lines = new Map();
  for (const verdict of verdicts) {
    const { group, name, subject, failed, condition, rows, deletedRows } = verdict;
    if (failed !== null) {
      lines.set(name, line([group, name, `**failed**: ${failed}`, '', '', '', '']));
      continue;
    }
    const alike = whole(verdict.select) && whole(verdict.salvage);
    const id = alike ? `${group} ${condition}` : name;
    const sum = lines.get(id) ?? { group, subject, condition, names: [], rows: 0, deletedRows: 0 };
    const add = (left, right) => ({
      right: (left?.right ?? 0) + right.right,
      missing: (left?.missing ?? 0) + right.missing,
      wrong: (left?.wrong ?? 0) + right.wrong,
      deleted: (left?.deleted ?? 0) + right.deleted,
    });
    lines.set(id, {
      ...sum,
      names: [...sum.names, name.slice(3)],
      rows: sum.rows + rows,
      deletedRows: sum.deletedRows + deletedRows,
      select: add(sum.select, verdict.select),
      salvage: add(sum.salvage, verdict.salvage),
    });
  }
  return [...lines.values()].map((each) =>
    typeof each === 'string'
      ? each
      : line([
          `${each.group} ${each.subject}`,
          each.names.length > 3
            ? `${each.names.length} (${each.names[0]}–${each.names.at(-1)})`
            : each.names.join(', '),
          each.condition,
          each.rows,
          each.deletedRows,
          count(each.select),
          count(each.salvage),
        ]),
  );
}

function report(verdicts) {
  const sum = (pick) => verdicts.reduce((total, each) => total + pick(each), 0);
  const total = (way) =>
    `${sum((each) => each[way]?.right ?? 0)} right, ${sum((each) => each[way]?.missing ?? 0)} missing, ${sum((each) => each[way]?.wrong ?? 0)} wrong`;
  return `# What is read of a corpus of damaged databases

The SQLite Forensic Corpus, version 2.0 (Nemetz, Schmitt, Freiling; CC0) holds databases with odd names, encodings and
layouts, with deleted content, and such as were manipulated to mislead readers, each with the rows that it held. It is not
part of this project: \`node bench/corpus-bench.mjs --corpus DIR\` measures this table and writes it.

\`check\` is what the full check of a database says. Rows of the key are those that were there in the end; the deleted ones
it lists beside them are to stay deleted, and count as wrong where they come back. \`SELECT\` and \`salvage\` (without a
snapshot) show *right / missing / wrong*: rows of the key that were read, that were not, and rows that the key does not have.

| group | databases | check | rows | deleted rows | SELECT | salvage |
| --- | --- | --- | --- | --- | --- | --- |
${linesOf(verdicts).join('\n')}

${verdicts.length} databases, ${sum((each) => each.rows ?? 0)} rows. SELECT: ${total('select')}. Salvage: ${total('salvage')}.
No database made the check or the salvage fail: ${verdicts.every(({ failed }) => failed === null) ? 'true' : '**false**'}.

## What is missing, and why

- 11: where the roots of two tables were exchanged, their indexes tell whose rows each tree holds.
- 13: a page of an overflow chain leads to the wrong place. What follows cannot be proven to belong to the row, so the row
  is not put together; where only the end of a chain leads back into it, the row is whole and is kept.
- 15-05 to 15-12: the types of values were changed within a row. Which of several values has which length cannot be told
  any more; of rows whose only damage is their total length (15-01 to 15-04) all are kept.
- 15-13: type 10, which is reserved and takes no bytes, stands for a value. SQLite shows NULL and its check passes; one
  flipped bit makes 10 of the type of the number 0 as well. Salvage does not vouch for such rows.
- 19: the file was cut off. 19-01 lost only bytes that no row was in.
`;
}

if (options.corpus === '') {
  console.log('Skipped: name the corpus with --corpus DIR or HOLDFAST_CORPUS.');
} else {
  const reader = await buildReader();
  try {
    const verdicts = [...databasesOf(options.corpus)].map((each) => read(reader, each));
    if (options.json) console.log(JSON.stringify(verdicts));
    else {
      const text = report(verdicts);
      writeFileSync(join(project, 'bench/corpus-bench.md'), text);
      console.log(text);
    }
    if (verdicts.some(({ failed }) => failed !== null)) process.exitCode = 1;
  } finally {
    rmSync(reader);
  }
}
