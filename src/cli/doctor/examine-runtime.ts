import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { messageOf } from '../../kernel/errors.ts';
import { type Finding, failure, ok } from './finding.ts';

const run = promisify(execFile);

/** The runtime floor: major, minor. */
const NODE_MIN: readonly [number, number] = [20, 19];

export function examineNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const enough = major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1]);
  return enough
    ? ok('node', `Node ${version}`)
    : failure('node', `Node ${version} is too old`, `Install Node ${NODE_MIN.join('.')} or newer.`);
}

const ASK_VERSION =
  'const Database = require(process.argv[1]);' +
  'console.log(new Database(":memory:").prepare("SELECT sqlite_version()").pluck().get());';
const CHILD_MS_MAX = 20_000;

/** Loads the native SQLite module in a child, so that a module of another Node cannot take this process down. */
export async function examineNativeModule(): Promise<Finding> {
  try {
    const path = createRequire(import.meta.url).resolve('better-sqlite3');
    const { stdout } = await run(process.execPath, ['-e', ASK_VERSION, path], {
      timeout: CHILD_MS_MAX,
    });
    return ok('native-module', `better-sqlite3 loads, SQLite ${stdout.trim()}`);
  } catch (error) {
    const reason = messageOf(error)
      .split('\n')
      .find((line) => line.includes('Error:'));
    return failure(
      'native-module',
      `better-sqlite3 does not load: ${reason?.trim() ?? messageOf(error).split('\n')[0]}`,
      'Run npm rebuild better-sqlite3 with the Node that runs Holdfast.',
    );
  }
}

/** What snapshots are compressed with, unless the configuration says otherwise: nothing is wrong with either. */
export function examineCodec(hasZstd: boolean): Finding {
  const slower =
    'brotli, slower than zstd, which Node 22.15 has built in and npm install zstd-napi adds to this one';
  return ok('codec', `snapshots are compressed with ${hasZstd ? 'zstd' : slower}`);
}
