import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Trial } from './trial.ts';
import type { Verdict } from './truth.ts';

/** sqlite3's own `.recover`, to compare with. */
export interface Recoverer {
  readonly program: string;
  readonly version: string;
}

const OUTPUT_BYTES_MAX = 1024 ** 3;

/**
 * @param program a sqlite3, or a path to one
 * @returns null where it is not there, or was built without the table that `.recover` reads (sqlite_dbpage)
 */
export function findRecoverer(program: string): Recoverer | null {
  const run = (...given: string[]) => spawnSync(program, given, { encoding: 'utf8' });
  if (run(':memory:', 'SELECT count(*) FROM sqlite_dbpage').status !== 0) return null;
  return { program, version: run('--version').stdout.trim().split(' ')[0]! };
}

/** Runs `.recover` on a copy of the damaged family; what it could not write is not there. */
export function recoverBySqlite({ program }: Recoverer, trial: Trial): Verdict {
  const scratch = join(trial.world.bench.directory, 'sqlite-recover');
  const copy = join(scratch, 'damaged.db');
  const made = join(scratch, 'made.db');
  mkdirSync(scratch);
  try {
    for (const suffix of ['', '-wal', '-journal']) {
      const original = `${trial.world.path}${suffix}`;
      if (existsSync(original)) copyFileSync(original, `${copy}${suffix}`);
    }
    const { stdout } = spawnSync(program, [copy, '.recover'], { maxBuffer: OUTPUT_BYTES_MAX });
    spawnSync(program, [made], { input: stdout, maxBuffer: OUTPUT_BYTES_MAX });
    return trial.judgeFile(made);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
