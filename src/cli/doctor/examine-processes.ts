import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../kernel/errors.ts';
import { type Finding, ok, warning } from './finding.ts';

/** Other programs on this host that meddle with the same databases. Reads /proc and program files only. */

export interface RunningProcess {
  readonly pid: number;
  readonly argv: readonly string[];
}

/** Processes whose command lines this user may read; [] where there is no /proc. */
export async function listProcesses(): Promise<RunningProcess[]> {
  const processes: RunningProcess[] = [];
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    const text = await readOrNull(join('/proc', name, 'cmdline'));
    const argv = text?.toString('utf8').split('\0').filter(Boolean) ?? [];
    if (argv.length > 0) processes.push({ pid: Number(name), argv });
  }
  return processes;
}

/** Null for what has vanished meanwhile or belongs to others. */
async function readOrNull(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(systemCode(error) ?? '')) return null;
    throw error;
  }
}

const programOf = (argument: string): string => argument.split('/').at(-1)!.toLowerCase();

/** The backup tool that a command line runs, or null. Scripts are recognised behind their interpreter. */
export function backupToolOf(argv: readonly string[]): string | null {
  const programs = argv.slice(0, 2).map(programOf);
  for (const tool of ['litestream', 'restic', 'borg', 'borgmatic', 'rsync', 'duplicity', 'kopia']) {
    if (programs.includes(tool)) return tool;
  }
  const line = argv.join(' ');
  if (programs[0] === 'sqlite3' && /\.(backup|dump|clone)\b|vacuum\s+into/i.test(line)) {
    return 'sqlite3 backup';
  }
  const isHoldfast = programs.includes('holdfast') || programs.includes('holdfast.js');
  return isHoldfast && argv.includes('daemon') ? 'holdfast' : null;
}

export function examineBackupTools(
  processes: readonly RunningProcess[],
  ownPids: readonly number[],
): Finding[] {
  const others = processes
    .filter(({ pid }) => !ownPids.includes(pid))
    .flatMap(({ pid, argv }) => {
      const tool = backupToolOf(argv);
      return tool === null ? [] : [{ pid, tool }];
    });
  if (others.length === 0) return [ok('other-tools', 'no other backup tool is running')];
  return others.map(({ pid, tool }) =>
    warning('other-tools', `${tool} runs as process ${pid}`, HINTS[tool] ?? HINT),
  );
}

const HINT =
  'Make sure that it neither copies nor replaces files of a protected database directly.';
const HINTS: Readonly<Record<string, string>> = {
  holdfast: 'Make sure that no directory is protected by two daemons.',
  litestream: 'It holds back checkpoints; two tools on one database are one too many.',
};

/** Releases of SQLite whose WAL may lose commits when a checkpoint meets a reset of the log: from, to before. */
const AFFECTED_FIRST = [3, 7, 0] as const;
const FIXED_FIRST = [3, 51, 3] as const;
/** Older lines that got the fix as well: from this patch on. */
const FIXED_LINES = [
  [3, 44, 6],
  [3, 50, 7],
] as const;

function compare(left: readonly number[], right: readonly number[]): number {
  for (const [index, value] of left.entries()) {
    const difference = value - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export function hasWalResetFault(version: string): boolean {
  const parts = version.split('.').map(Number);
  const [, minor = 0, patch = 0] = parts;
  if (FIXED_LINES.some((line) => minor === line[1] && patch >= line[2])) return false;
  return compare(parts, AFFECTED_FIRST) >= 0 && compare(parts, FIXED_FIRST) < 0;
}

const LIBRARY_BYTES_MAX = 256 * 1024 * 1024;

/** SQLite keeps its version as a string of its own: `sqlite3_version`. Null when there is none, or more than one. */
export function sqliteVersionIn(library: Buffer): string | null {
  if (library.length > LIBRARY_BYTES_MAX) return null;
  const text = library.toString('latin1');
  if (!text.includes('SQLite format 3')) return null;
  const versions = new Set(
    [...text.matchAll(/(?<![\w.])(3\.\d{1,2}\.\d{1,2})(?=\0)/g)].map((m) => m[1]!),
  );
  return versions.size === 1 ? [...versions][0]! : null;
}

/** Version of the SQLite that a process has loaded as a library of its own; null where it cannot be told. */
export async function sqliteVersionOf(pid: number): Promise<string | null> {
  const maps = await readOrNull(`/proc/${pid}/maps`);
  const libraries = new Set(
    (maps?.toString('utf8') ?? '')
      .split('\n')
      .map((line) => line.slice(line.indexOf('/')).trim())
      .filter((path) => /sqlite[^/]*\.(so[.\d]*|node)$/i.test(path)),
  );
  for (const library of libraries) {
    const bytes = await readOrNull(join('/proc', String(pid), 'root', library));
    const version = bytes === null ? null : sqliteVersionIn(bytes);
    if (version !== null) return version;
  }
  return null;
}

export interface DatabaseInUse {
  readonly path: string;
  readonly users: readonly { readonly pid: number; readonly command: string }[];
}

/** Whether the applications that hold the databases use an SQLite that may lose commits. */
export async function examineLibraries(
  databases: readonly DatabaseInUse[],
  ownPids: readonly number[],
): Promise<Finding[]> {
  const users = new Map(databases.flatMap(({ users }) => users).map((user) => [user.pid, user]));
  for (const pid of ownPids) users.delete(pid);
  const findings: Finding[] = [];
  for (const { pid, command } of users.values()) {
    const version = await sqliteVersionOf(pid);
    const who = `process ${pid} (${command})`;
    if (version === null) findings.push(ok('sqlite-library', `${who}: cannot tell its SQLite`));
    else if (!hasWalResetFault(version))
      findings.push(ok('sqlite-library', `${who}: SQLite ${version}`));
    else {
      findings.push(
        warning(
          'sqlite-library',
          `${who} uses SQLite ${version}, which can lose commits in WAL mode when two connections checkpoint`,
          'Update the SQLite of the application to 3.51.3 or newer.',
        ),
      );
    }
  }
  return findings;
}
