import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** Where things are when nobody says otherwise. Nothing heavy is imported here: the thin client reads it too. */

export interface DefaultPaths {
  readonly configFile: string;
  readonly stateDirectory: string;
  readonly repositoryDirectory: string;
  readonly socketPath: string;
}

export const SOCKET_NAME = 'holdfast.sock';
/** The socket of a daemon that runs as root: what every client of the host looks for last. */
export const SYSTEM_SOCKET_PATH = `/run/holdfast/${SOCKET_NAME}`;
export const REMEMBERED_SETTINGS_NAME = 'settings.json';

/** An environment variable that holds an absolute path; anything else counts as unset (XDG base directories, §Basics). */
function pathVariable(env: NodeJS.ProcessEnv, name: string): string | null {
  const value = env[name];
  return value !== undefined && isAbsolute(value) ? value : null;
}

/** systemd lists several directories with colons; the first is the one named first in the unit. */
function systemdDirectory(env: NodeJS.ProcessEnv, name: string): string | null {
  const first = env[name]?.split(':')[0];
  return first !== undefined && isAbsolute(first) ? first : null;
}

function homeDirectory(env: NodeJS.ProcessEnv): string {
  return pathVariable(env, 'HOME') ?? homedir();
}

function defaultStateDirectory(env: NodeJS.ProcessEnv, uid: number): string {
  const systemd = systemdDirectory(env, 'STATE_DIRECTORY');
  if (systemd !== null) return systemd;
  if (uid === 0) return '/var/lib/holdfast';
  const base = pathVariable(env, 'XDG_STATE_HOME') ?? join(homeDirectory(env), '.local', 'state');
  return join(base, 'holdfast');
}

function defaultSocketDirectory(env: NodeJS.ProcessEnv, uid: number): string | null {
  const systemd = systemdDirectory(env, 'RUNTIME_DIRECTORY');
  if (systemd !== null) return systemd;
  if (uid === 0) return '/run/holdfast';
  const base = pathVariable(env, 'XDG_RUNTIME_DIR');
  return base === null ? null : join(base, 'holdfast');
}

function defaultConfigFile(env: NodeJS.ProcessEnv, uid: number): string {
  if (uid === 0) return '/etc/holdfast/holdfast.yaml';
  const base = pathVariable(env, 'XDG_CONFIG_HOME') ?? join(homeDirectory(env), '.config');
  return join(base, 'holdfast', 'holdfast.yaml');
}

/**
 * The places of this user on this host. What the variables HOLDFAST_CONFIG, HOLDFAST_STATE, HOLDFAST_REPOSITORY
 * and HOLDFAST_SOCKET name is not part of it: they stand above the configuration file, defaults below it.
 * @param stateDirectory where it is already known; repository and, as a last resort, socket are inside it
 */
export function defaultPaths(
  env: NodeJS.ProcessEnv,
  uid: number,
  stateDirectory: string = defaultStateDirectory(env, uid),
): DefaultPaths {
  return {
    configFile: defaultConfigFile(env, uid),
    stateDirectory,
    repositoryDirectory: join(stateDirectory, 'repository'),
    socketPath: join(defaultSocketDirectory(env, uid) ?? stateDirectory, SOCKET_NAME),
  };
}

/** The user id of this process; root where the platform has none. */
export function currentUid(): number {
  return process.getuid?.() ?? 0;
}
