/**
 * An application of files: writes them anew (into place by renaming), renames, removes, links, appends to a log. Every
 * file but the log begins with the SHA-256 of the rest; the lines of the log are 1, 2, 3 and so on.
 *
 *   node file-churn.mjs <directory> <seed>
 *
 * Prints one line `ready`; on SIGTERM one line of JSON: what it did.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const [directory, seedText] = process.argv.slice(2);
const FOLDERS = 8;
const FILES_MAX = 30;
const BYTES_MAX = 40_000;
const PAUSE_MS_MAX = 60;

let state = Number(seedText) >>> 0 || 1;
function random(below) {
  state ^= state << 13;
  state >>>= 0;
  state ^= state >>> 17;
  state ^= state << 5;
  state >>>= 0;
  return state % below;
}

const figures = { written: 0, renamed: 0, removed: 0, linked: 0, lines: 0 };
const log = join(directory, 'events.jsonl');
let lastLine = existsSync(log) ? readFileSync(log, 'utf8').split('\n').length - 1 : 0;
let stopping = false;
process.on('SIGTERM', () => {
  stopping = true;
});

const folderPath = (number) => join(directory, `folder-${number}`);
for (let number = 0; number < FOLDERS; number += 1) {
  mkdirSync(folderPath(number), { recursive: true });
}

function anyFile() {
  const folder = folderPath(random(FOLDERS));
  const names = readdirSync(folder).filter((name) => name.endsWith('.bin'));
  return names.length === 0 ? null : join(folder, names[random(names.length)]);
}

const anyPath = () => join(folderPath(random(FOLDERS)), `file-${random(FILES_MAX)}.bin`);

function write() {
  const content = randomBytes(random(BYTES_MAX));
  const digest = createHash('sha256').update(content).digest();
  const path = anyPath();
  writeFileSync(`${path}.new`, Buffer.concat([digest, content]));
  renameSync(`${path}.new`, path);
  figures.written += 1;
}

function step() {
  const kind = random(10);
  if (kind < 4) return write();
  if (kind < 7) {
    figures.lines += 1;
    lastLine += 1;
    return appendFileSync(log, `${lastLine}\n`);
  }
  const path = anyFile();
  if (path === null) return;
  if (kind === 7) {
    renameSync(path, anyPath());
    figures.renamed += 1;
  } else if (kind === 8) {
    rmSync(path);
    figures.removed += 1;
  } else {
    const link = join(folderPath(random(FOLDERS)), `link-${random(5)}`);
    rmSync(link, { force: true });
    symlinkSync(path, link);
    figures.linked += 1;
  }
}

function work() {
  if (stopping) {
    process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit());
    return;
  }
  for (let left = random(4); left > 0; left -= 1) step();
  setTimeout(work, random(PAUSE_MS_MAX));
}

process.stdout.write('ready\n');
work();
