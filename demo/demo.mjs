/**
 * The whole story in a minute, on a real application with a live writer, in a temporary directory:
 * snapshots on change, damage, recovery before the next start, what was kept. `npm run demo`
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { styleText } from 'node:util';
import Database from 'better-sqlite3';

const bin = fileURLToPath(new URL('../bin/holdfast', import.meta.url));
const shop = fileURLToPath(new URL('shop.mjs', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'holdfast-demo-'));
const data = join(root, 'data');
const databasePath = join(data, 'shop.db');
const config = join(root, 'holdfast.yaml');
const env = { ...process.env, HOLDFAST_CONFIG: config };
const children = new Set();

function say(text) {
  console.log(`\n${styleText('bold', text)}`);
}

/** Runs and shows one command, as the reader would type it. */
function holdfast(...args) {
  const shown = args.map((each) => each.replaceAll(root, '$DEMO')).join(' ');
  console.log(styleText('cyan', `$ holdfast ${shown}`));
  const { status } = spawnSync(process.execPath, [bin, ...args], {
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return status;
}

function json(...args) {
  const stdout = execFileSync(process.execPath, [bin, ...args, '--json'], {
    env,
    encoding: 'utf8',
  });
  return JSON.parse(stdout);
}

function start(args) {
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

async function startShop() {
  const child = start([shop, data]);
  await once(child.stdout, 'data');
  return child;
}

async function startDaemon() {
  const child = start([bin, 'daemon']);
  const lines = createInterface({ input: child.stdout });
  child.waitFor = (message) =>
    new Promise((resolve) => {
      lines.on('line', (line) => JSON.parse(line).msg === message && resolve());
    });
  await child.waitFor('ready');
  return child;
}

async function end(child, signal) {
  child.kill(signal);
  await once(child, 'exit');
}

function orders() {
  const database = new Database(databasePath, { readonly: true });
  try {
    // Reads every row, as a report or an export would.
    const { count } = database.prepare('SELECT count(note) AS count FROM orders').get();
    return `${count} orders`;
  } catch (error) {
    return error.message;
  } finally {
    database.close();
  }
}

/** Overwrites one page in the middle of the table with zeros: what a failing disk does. */
function damage() {
  const page = 4096;
  const pages = Math.floor(statSync(databasePath).size / page);
  const file = openSync(databasePath, 'r+');
  writeSync(file, Buffer.alloc(page * 3), 0, page * 3, Math.floor(pages / 2) * page);
  closeSync(file);
}

try {
  mkdirSync(join(data, 'receipts'), { recursive: true });
  writeFileSync(
    config,
    `stateDirectory: ${join(root, 'state')}
repositoryDirectory: ${join(root, 'repository')}
socketPath: ${join(root, 'socket')}
sources:
  - name: shop
    roots:
      - class: data
        path: ${data}
    watch:
      quietMs: 300ms
      maxWaitMs: 3s
      minGapMs: 1s
    schedules: []
`,
  );
  say('A shop takes orders, fifty a second. It has never heard of Holdfast.');
  let application = await startShop();
  console.log(`It writes $DEMO/data/shop.db (${orders()}) and receipts beside it.`);

  say('Holdfast protects its directory: every change becomes a snapshot, while the shop goes on.');
  let daemon = await startDaemon();
  await daemon.waitFor('snapshot taken');
  await daemon.waitFor('snapshot taken');
  holdfast('status');
  holdfast('snapshots');

  say('A snapshot is proven, not believed: every byte is read back, every database checked.');
  holdfast('verify', '--latest', '--deep');

  say(
    'The machine loses power: shop and daemon die at once. The disk has zeroed three pages of the database.',
  );
  console.log(`Before: ${orders()}`);
  await end(application, 'SIGKILL');
  await end(daemon, 'SIGKILL');
  damage();
  console.log(`Reading the orders now: ${orders()}`);

  say(
    'The gate that the shop starts behind (systemd: ExecStartPre=) finds it and repairs it first.',
  );
  const gate = holdfast('recover', '--if-needed');
  console.log(`Its exit code is ${gate}. Reading the orders now: ${orders()}`);

  say('The shop starts on a sound database; the daemon starts again.');
  application = await startShop();
  daemon = await startDaemon();
  holdfast('status');

  say('What was damaged is kept in quarantine.');
  holdfast('quarantine', 'list');

  say('And any snapshot restores anywhere, checked on the way.');
  const { items } = json('snapshots');
  holdfast('restore', items.at(-1).shortId, '--to', join(root, 'restored'));
  await end(application, 'SIGTERM');
  await end(daemon, 'SIGTERM');
  say('That was all of it. README has the tour; the demo removes what it made.');
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
}
