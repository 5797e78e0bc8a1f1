import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('record-writes.c', import.meta.url));
const COMPILERS = ['cc', 'gcc', 'clang'];

/** Why nothing can be recorded here; null where it can. */
export function whyNoRecorder(): string | null {
  if (process.platform !== 'linux') return 'calls are recorded on Linux alone';
  return compiler() === undefined ? `none of ${COMPILERS.join(', ')} is installed` : null;
}

function compiler(): string | undefined {
  return COMPILERS.find((name) => spawnSync(name, ['--version']).status === 0);
}

/** The recorder as a shared object, compiled when its source has changed. @throws where the compiler refuses it */
export function buildRecorder(): string {
  const version = createHash('sha256').update(readFileSync(SOURCE)).digest('hex').slice(0, 16);
  const folder = join(tmpdir(), `holdfast-recorder-${userInfo().uid}`);
  const path = join(folder, `record-writes-${version}.so`);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const unfinished = `${path}.${process.pid}`;
  const options = ['-shared', '-fPIC', '-O2', '-Wall', '-o', unfinished, SOURCE, '-ldl'];
  const { status, stderr } = spawnSync(compiler()!, options, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`The recorder cannot be compiled: ${stderr}`);
  renameSync(unfinished, path);
  return path;
}
