import { SOCKET_PATH_BYTES_MAX } from '../kernel/limits.ts';
import { checkArtifacts } from './check-artifacts.ts';
import type { ConfigDocument } from './config-file.ts';
import { configError } from './config-problem.ts';
import { currentUid, defaultPaths } from './default-paths.ts';
import type { Configuration } from './options.ts';
import { isInside, realPathOf } from './own-places.ts';
import { resolveRepositorySchedules } from './resolve-schedules.ts';
import { resolveSources } from './resolve-sources.ts';
import type { Settings } from './settings.ts';
import { ProblemList, validateConfiguration } from './validate-configuration.ts';

/** From a document to Settings: validated, absolute, deeply frozen. */

export interface ResolveRequest {
  readonly document: ConfigDocument;
  /** What the document is called in messages. */
  readonly origin: string;
  /** Top-level options that win over the document, each with the flag or variable it came from. */
  readonly overrides: ReadonlyMap<string, { readonly value: unknown; readonly origin: string }>;
  /** False turns the watcher of every source off. */
  readonly watch: boolean;
  readonly env: NodeJS.ProcessEnv;
}

/** @throws CONFIG_INVALID or INVALID_CRON naming all problems at once */
export async function resolveSettings(request: ResolveRequest): Promise<Settings> {
  const { document, origin, overrides, env } = request;
  const origins = new Map([...overrides].map(([key, override]) => [key, override.origin]));
  const list = new ProblemList(document.locate, origins);
  const configuration = validateConfiguration(overlay(document.value, overrides), list);
  if (configuration === null) throw configError(origin, list.problems);
  const settings = await complete(configuration, env, list);
  if (list.problems.length > 0) throw configError(origin, list.problems);
  return deepFreeze(request.watch ? settings : withoutWatch(settings));
}

/** The document with the overrides laid over it; what is no mapping is left for the schema to refuse. */
function overlay(value: unknown, overrides: ResolveRequest['overrides']): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const laid = [...overrides].map(([key, override]) => [key, override.value]);
  return { ...value, ...Object.fromEntries(laid) };
}

async function complete(
  configuration: Configuration,
  env: NodeJS.ProcessEnv,
  list: ProblemList,
): Promise<Settings> {
  const { stateDirectory: chosenState, ...rest } = configuration;
  const paths = defaultPaths(env, currentUid(), chosenState);
  const stateDirectory = await realPathOf(paths.stateDirectory);
  const repositoryDirectory = await realPathOf(
    configuration.repositoryDirectory ?? paths.repositoryDirectory,
  );
  const socketPath = await realPathOf(configuration.socketPath ?? paths.socketPath);
  if (isInside(stateDirectory, repositoryDirectory)) {
    list.add(
      ['repositoryDirectory'],
      `"${repositoryDirectory}" holds the state directory "${stateDirectory}"; it can be the other way round`,
    );
  }
  await refuseKeyInside(repositoryDirectory, configuration, list);
  if (Buffer.byteLength(socketPath) > SOCKET_PATH_BYTES_MAX) {
    list.add(
      ['socketPath'],
      `"${socketPath}" is longer than ${SOCKET_PATH_BYTES_MAX} bytes, which no Unix socket can be; set a shorter one`,
    );
  }
  checkArtifacts(configuration, repositoryDirectory, list);
  const own = { stateDirectory, repositoryDirectory };
  const sources = await resolveSources(configuration, own, list);
  const schedules = resolveRepositorySchedules(configuration, sources, list);
  return { ...rest, stateDirectory, repositoryDirectory, socketPath, schedules, sources };
}

/** Whoever copies the repository would have its key as well. */
async function refuseKeyInside(
  repositoryDirectory: string,
  { repositoryKey }: Configuration,
  list: ProblemList,
): Promise<void> {
  for (const name of ['keyFile', 'passphraseFile'] as const) {
    const path = repositoryKey?.[name] ?? null;
    if (path === null || !isInside(await realPathOf(path), repositoryDirectory)) continue;
    const problem = `"${path}" is inside the repository that it opens; keep it where copies of that do not go`;
    list.add(['repositoryKey', name], problem);
  }
}

function withoutWatch(settings: Settings): Settings {
  const sources = settings.sources.map((source) => ({
    ...source,
    watch: { ...source.watch, enabled: false },
  }));
  return { ...settings, sources };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const each of Object.values(value)) deepFreeze(each);
  }
  return value;
}
