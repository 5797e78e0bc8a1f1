import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import {
  currentUid,
  defaultPaths,
  REMEMBERED_SETTINGS_NAME,
  SYSTEM_SOCKET_PATH,
} from './default-paths.ts';

/**
 * The socket that a client talks to: the flag, HOLDFAST_SOCKET, the one that the daemon of this state directory
 * last started with, else the default; where that does not exist and no state directory was named, the socket of
 * the host's own daemon. Synchronous and light: it runs before anything else in every command.
 */
export function findSocket(
  flags: { readonly socket?: string | undefined; readonly state?: string | undefined },
  env: NodeJS.ProcessEnv,
): string {
  const named = flags.socket ?? env['HOLDFAST_SOCKET'];
  if (named !== undefined && named !== '') return resolve(named);
  const state = flags.state ?? env['HOLDFAST_STATE'];
  const isOwn = state !== undefined && state !== '';
  const paths = defaultPaths(env, currentUid(), isOwn ? resolve(state) : undefined);
  const remembered = rememberedSocket(paths.stateDirectory);
  if (remembered !== null) return remembered;
  // Whoever names a state directory means its daemon and no other.
  const isElsewhere = !isOwn && !existsSync(paths.socketPath) && existsSync(SYSTEM_SOCKET_PATH);
  return isElsewhere ? SYSTEM_SOCKET_PATH : paths.socketPath;
}

/** Null where there is nothing to read, or no right to. */
function rememberedSocket(stateDirectory: string): string | null {
  try {
    const text = readFileSync(join(stateDirectory, REMEMBERED_SETTINGS_NAME), 'utf8');
    const document = JSON.parse(text) as { settings?: { socketPath?: unknown } } | null;
    const path = document?.settings?.socketPath;
    return typeof path === 'string' && isAbsolute(path) ? path : null;
  } catch {
    return null;
  }
}
