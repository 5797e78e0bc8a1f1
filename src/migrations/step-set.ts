import { readdir } from 'node:fs/promises';
import { cannot, systemCode } from '../kernel/errors.ts';
import { compareVersions, isSemanticVersion, NO_VERSION } from './semantic-version.ts';
import type { Step, StepSet, StepWay } from './step.ts';
import { numberSteps } from './step-numbers.ts';
import { readTrusted, requireTrustedDirectory, type TrustedFile } from './trusted-file.ts';

const STEPS_MAX = 10_000;
/** `1.2.0_orders.up.sql`: a version holds no underscore. */
const STEP_FILE = /^([^_]*)_(.+)\.(up\.sql|down\.sql|mjs)$/;
const LOOKS_LIKE_STEP = /\.(?:up\.sql|down\.sql|mjs)$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
/** A module that can be undone says so where it is declared. */
const EXPORTS_DOWN =
  /^\s*export\s+(?:async\s+)?(?:function\s*\*?\s*down\b|(?:const|let|var)\s+down\b)|^\s*export\s*\{[^}]*\bdown\b[^}]*\}/m;

interface FoundFile extends TrustedFile {
  readonly fileName: string;
  readonly version: string;
  readonly name: string;
  readonly ending: 'up.sql' | 'down.sql' | 'mjs';
}

const refuse = (file: string, state: string, hint?: string): Error =>
  cannot('CONFIG_INVALID', 'use migration', file, state, {
    hint:
      hint ??
      'Steps are named <version>_<name>.up.sql, .down.sql or .mjs, such as 1.2.0_orders.up.sql.',
  });

async function findFile(directory: string, fileName: string): Promise<FoundFile> {
  const match = STEP_FILE.exec(fileName);
  if (match === null) throw refuse(fileName, 'its name has no version');
  const [, version = '', name = '', ending = ''] = match;
  if (!isSemanticVersion(version)) throw refuse(fileName, `"${version}" is no semantic version`);
  if (compareVersions(version, NO_VERSION) <= 0) {
    throw refuse(fileName, `${NO_VERSION} stands for a database without any step`);
  }
  if (!NAME.test(name)) throw refuse(fileName, `"${name}" is no name of a step`);
  const read = await readTrusted(directory, fileName);
  return { ...read, fileName, version, name, ending: ending as FoundFile['ending'] };
}

const wayOf = ({ file, checksum, text, ending }: FoundFile): StepWay => ({
  file,
  checksum,
  text,
  kind: ending === 'mjs' ? 'module' : 'sql',
});

/** The files of one version as a step, without its number. */
function stepOf(files: readonly FoundFile[]): Omit<Step, 'number'> {
  const [first, ...others] = files as [FoundFile, ...FoundFile[]];
  const other = others.find(
    ({ name, version }) => name !== first.name || version !== first.version,
  );
  if (other !== undefined) {
    throw refuse(other.fileName, `${first.fileName} is a step of the same version`);
  }
  const module = files.find(({ ending }) => ending === 'mjs');
  const up = files.find(({ ending }) => ending === 'up.sql');
  const down = files.find(({ ending }) => ending === 'down.sql');
  const { version, name } = first;
  if (module !== undefined) {
    const double = up ?? down;
    if (double !== undefined) {
      throw refuse(double.fileName, `${module.fileName} is a step of the same version`);
    }
    const way = wayOf(module);
    return { version, name, up: way, down: EXPORTS_DOWN.test(module.text) ? way : null };
  }
  if (up === undefined) throw refuse(first.fileName, 'there is no .up.sql beside it');
  return { version, name, up: wayOf(up), down: down === undefined ? null : wayOf(down) };
}

/**
 * Reads every step in a directory: none of them is run, nothing of it is kept.
 * @throws CONFIG_INVALID naming the file that is no step, stands twice, or can be written by others; PATH_NOT_FOUND
 */
export async function readStepSet(directory: string): Promise<StepSet> {
  await requireTrustedDirectory(directory);
  const names = await readdir(directory).catch((error: unknown): never => {
    const code = systemCode(error) === 'ENOENT' ? 'PATH_NOT_FOUND' : 'IO_ERROR';
    throw cannot(code, 'read migrations', directory, systemCode(error) ?? 'it cannot be read', {
      cause: error,
    });
  });
  const fileNames = names.filter((name) => LOOKS_LIKE_STEP.test(name)).sort();
  if (fileNames.length > STEPS_MAX * 2) {
    throw cannot(
      'LIMIT_EXCEEDED',
      'read migrations',
      directory,
      `it has ${fileNames.length} files`,
    );
  }
  const files: FoundFile[] = [];
  for (const name of fileNames) files.push(await findFile(directory, name));
  files.sort((left, right) => compareVersions(left.version, right.version));
  const groups: FoundFile[][] = [];
  for (const file of files) {
    const group = groups.at(-1);
    if (group !== undefined && compareVersions(group[0]!.version, file.version) === 0)
      group.push(file);
    else groups.push([file]);
  }
  return { directory, steps: numberSteps(groups.map(stepOf)) };
}
