import { basename, dirname, resolve } from 'node:path';
import { systemCode } from '../kernel/errors.ts';
import { type ConfigDocument, readConfigFile } from './config-file.ts';
import { currentUid, defaultPaths } from './default-paths.ts';
import { slug } from './option-values.ts';
import { readRememberedChanges, readRememberedDocument } from './remembered-settings.ts';
import { resolveStoredChanges } from './resolve-changed-settings.ts';
import { type ResolveRequest, resolveSettings } from './resolve-settings.ts';
import type { Settings } from './settings.ts';

/**
 * Settings from flags, environment, file and defaults, in this order of precedence.
 * `--data` replaces the sources of the file. Relative paths are taken from the working directory.
 */
export interface SettingsFlags {
  /** --config FILE: must exist. */
  readonly config?: string | undefined;
  /** --data DIR, each a source of its own. */
  readonly data?: readonly string[] | undefined;
  readonly repository?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly passphraseFile?: string | undefined;
  readonly state?: string | undefined;
  readonly socket?: string | undefined;
  readonly logLevel?: string | undefined;
  /** False (--no-watch): no source is watched. */
  readonly watch?: boolean | undefined;
}

const NO_DOCUMENT: ConfigDocument = { value: {}, locate: () => null };
const NO_FILE_ORIGIN = 'the command line';

/**
 * The settings a daemon starts with.
 * @throws NOT_FOUND where a file was named and is missing; CONFIG_INVALID, INVALID_CRON, IO_ERROR
 */
export async function loadSettings(
  flags: SettingsFlags,
  env: NodeJS.ProcessEnv,
): Promise<Settings> {
  return resolveSettings(await readSettings(flags, env));
}

/** The same, not yet resolved: what changes are laid over. @throws NOT_FOUND, CONFIG_INVALID, IO_ERROR */
export async function readSettings(
  flags: SettingsFlags,
  env: NodeJS.ProcessEnv,
): Promise<ResolveRequest> {
  const file = await readChosenFile(flags, env);
  return {
    document: file?.document ?? NO_DOCUMENT,
    origin: file?.path ?? NO_FILE_ORIGIN,
    ...precedingFile(flags, env),
  };
}

/**
 * The settings of a command that works without the daemon. Unless a file or data directories are named, these are
 * the ones that were last in force, so that both mean the same repository and the same sources. Of a file that is
 * named, they are what a daemon would start with: what was changed over the socket holds. Where the daemon never
 * ran, they are what it would start with.
 */
export async function loadOfflineSettings(
  flags: SettingsFlags,
  env: NodeJS.ProcessEnv,
): Promise<Settings> {
  if (flags.data !== undefined) return loadSettings(flags, env);
  if (flags.config !== undefined || namedBy(env, 'HOLDFAST_CONFIG') !== null) {
    return loadChangedSettings(flags, env);
  }
  const preceding = precedingFile(flags, env);
  const stateDirectory = await stateDirectoryOf(flags, env, preceding.overrides);
  const remembered = await readRememberedDocument(stateDirectory);
  if (remembered === null) return loadSettings(flags, env);
  return resolveSettings({ ...remembered, ...preceding });
}

/** As a daemon does that starts with these. */
async function loadChangedSettings(
  flags: SettingsFlags,
  env: NodeJS.ProcessEnv,
): Promise<Settings> {
  const request = await readSettings(flags, env);
  const settings = await resolveSettings(request);
  const remembered = await readRememberedChanges(settings.stateDirectory);
  if (remembered === null) return settings;
  return (await resolveStoredChanges(request, remembered.changes)).settings;
}

/**
 * Where the daemon's state would be, even if the configuration is broken by now: an emergency is no time to
 * insist on it. Should nothing be remembered there, loading it says what is wrong.
 */
async function stateDirectoryOf(
  flags: SettingsFlags,
  env: NodeJS.ProcessEnv,
  overrides: ResolveRequest['overrides'],
): Promise<string> {
  const override = overrides.get('stateDirectory')?.value;
  if (typeof override === 'string') return override;
  const file = await readChosenFile(flags, env).catch(() => null);
  const written = (file?.document.value as Record<string, unknown> | undefined)?.['stateDirectory'];
  return defaultPaths(env, currentUid(), typeof written === 'string' ? written : undefined)
    .stateDirectory;
}

function namedBy(env: NodeJS.ProcessEnv, variable: string): string | null {
  const value = env[variable];
  return value === undefined || value === '' ? null : value;
}

/** The file that is read: the one named, which must exist, else the default one if it is there. */
async function readChosenFile(
  flags: SettingsFlags,
  env: NodeJS.ProcessEnv,
): Promise<{ path: string; document: ConfigDocument } | null> {
  const named = flags.config ?? namedBy(env, 'HOLDFAST_CONFIG');
  const path = resolve(named ?? defaultPaths(env, currentUid()).configFile);
  try {
    return { path, document: await readConfigFile(path) };
  } catch (error) {
    if (named === null && systemCode(error) === 'ENOENT') return null;
    throw error;
  }
}

/** What stands above the file: flags, then environment variables. */
function precedingFile(
  flags: SettingsFlags,
  env: NodeJS.ProcessEnv,
): Pick<ResolveRequest, 'overrides' | 'watch' | 'env'> {
  const overrides = new Map<string, { value: unknown; origin: string }>();
  const set = (key: string, flag: string, value: string | undefined, variable: string): void => {
    const fromEnvironment = namedBy(env, variable);
    if (value !== undefined) overrides.set(key, { value: resolve(value), origin: flag });
    else if (fromEnvironment !== null) {
      overrides.set(key, { value: resolve(fromEnvironment), origin: variable });
    }
  };
  set('stateDirectory', '--state', flags.state, 'HOLDFAST_STATE');
  set('repositoryDirectory', '--repository', flags.repository, 'HOLDFAST_REPOSITORY');
  const key = repositoryKeyOf(flags, env);
  if (key !== null) overrides.set('repositoryKey', key);
  set('socketPath', '--socket', flags.socket, 'HOLDFAST_SOCKET');
  if (flags.logLevel !== undefined) {
    overrides.set('logLevel', { value: flags.logLevel, origin: '--log-level' });
  }
  if (flags.data !== undefined) {
    overrides.set('sources', { value: sourcesOf(flags.data), origin: '--data' });
  }
  return { overrides, watch: flags.watch !== false, env };
}

/** From flags, else from variables; two at once are for the validation to refuse. */
function repositoryKeyOf(
  { keyFile, passphraseFile }: SettingsFlags,
  env: NodeJS.ProcessEnv,
): { value: unknown; origin: string } | null {
  const given = (file: string | null | undefined, phrase: string | null | undefined) => ({
    ...(file == null ? {} : { keyFile: resolve(file) }),
    ...(phrase == null ? {} : { passphraseFile: resolve(phrase) }),
  });
  const flags = given(keyFile, passphraseFile);
  if (Object.keys(flags).length > 0) {
    return { value: flags, origin: keyFile === undefined ? '--passphrase-file' : '--key-file' };
  }
  const names = { file: 'HOLDFAST_KEY_FILE', phrase: 'HOLDFAST_PASSPHRASE_FILE' };
  const file = namedBy(env, names.file);
  const variables = given(file, namedBy(env, names.phrase));
  if (Object.keys(variables).length === 0) return null;
  return { value: variables, origin: file === null ? names.phrase : names.file };
}

/** A source per directory, named after it; two of one name are told apart by the directories they are in. */
function sourcesOf(directories: readonly string[]): unknown[] {
  const paths = [...new Set(directories.map((directory) => resolve(directory)))];
  const plain = paths.map((path) => slug(basename(path)) ?? 'data');
  return paths.map((path, index) => {
    const own = plain[index]!;
    const isShared = plain.filter((name) => name === own).length > 1;
    const parent = slug(basename(dirname(path))) ?? 'root';
    const name = isShared ? (slug(`${parent}-${own}`) ?? own) : own;
    return { name, roots: [{ class: 'data', path }] };
  });
}
