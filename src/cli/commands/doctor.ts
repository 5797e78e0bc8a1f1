import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Settings } from '../../config/settings.ts';
import { HoldfastError, messageOf } from '../../kernel/errors.ts';
import { nativeZstd } from '../../store/format/zstd.ts';
import { type CommandContext, type CommandRun, withDaemon } from '../context.ts';
import { socketOf } from '../daemon-connection.ts';
import {
  type DaemonAnswer,
  examineDaemon,
  examineLock,
  examineProof,
  type ProofOfRestore,
} from '../doctor/examine-instance.ts';
import {
  type DatabaseInUse,
  examineBackupTools,
  examineLibraries,
  listProcesses,
} from '../doctor/examine-processes.ts';
import { examineCodec, examineNativeModule, examineNode } from '../doctor/examine-runtime.ts';
import {
  examineFileSystem,
  examinePrivacy,
  examineSpace,
  examineWatchLimit,
  type StoragePlace,
} from '../doctor/examine-storage.ts';
import { examineUnits } from '../doctor/examine-units.ts';
import { type Finding, failure, ok } from '../doctor/finding.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { offlineSettings } from '../offline.ts';
import { counted } from '../output/counted.ts';
import { printable } from '../output/printable.ts';
import { styled } from '../output/style.ts';
import { printJson } from '../report.ts';

/** `holdfast doctor`: 0 all well, 1 something is wrong, 3 something deserves a look. */
export const run: CommandRun<GlobalOptions> = async (context, _args, options) => {
  const findings = await examineEverything(context, options);
  const exitCode = exitCodeOf(findings);
  if (options.json === true) printJson(context, { items: findings, nextCursor: null, exitCode });
  else context.terminal.out(renderFindings(findings, context.terminal.color));
  return exitCode;
};

export function exitCodeOf(findings: readonly Finding[]): ExitCode {
  if (findings.some(({ severity }) => severity === 'error')) return EXIT.failed;
  return findings.some(({ severity }) => severity === 'warning') ? EXIT.warnings : EXIT.ok;
}

const TONES = { ok: 'good', warning: 'warning', error: 'bad' } as const;
const MARK_CELLS = 'warning'.length;

export function renderFindings(findings: readonly Finding[], color: boolean): string {
  return findings
    .flatMap(({ check, severity, message, hint }) => {
      const mark = styled(severity.padEnd(MARK_CELLS), TONES[severity], color);
      const line = `${mark}  ${check}: ${printable(message)}`;
      return hint === undefined ? [line] : [line, `${' '.repeat(MARK_CELLS)}  -> ${hint}`];
    })
    .join('\n');
}

async function examineEverything(
  context: CommandContext,
  options: GlobalOptions,
): Promise<Finding[]> {
  const runtime = [
    examineNode(process.versions.node),
    await examineNativeModule(),
    examineCodec(nativeZstd() !== null),
  ];
  const answer = await askDaemon(context, options);
  const socketPath = await socketOf(options, context.environment).catch(() => options.socket ?? '');
  const instance = examineDaemon(socketPath, answer);
  const units = await examineUnits();
  let settings: Settings;
  try {
    settings = await offlineSettings(context, options);
  } catch (error) {
    const hint = error instanceof HoldfastError ? error.hint : undefined;
    const invalid = failure('settings', messageOf(error), hint ?? 'Correct the configuration.');
    return [...runtime, invalid, ...instance, ...units];
  }
  return [
    ...runtime,
    ok(
      'settings',
      `${counted(settings.sources.length, 'source')}, state in ${settings.stateDirectory}`,
    ),
    ...instance,
    await examineLock(settings.stateDirectory, answer),
    ...units,
    ...(await examineStorage(settings)),
    ...(await examineUse(settings, answer)),
    ...(await examineProofs(context, options, settings, answer)),
  ];
}

async function askDaemon(context: CommandContext, options: GlobalOptions): Promise<DaemonAnswer> {
  try {
    return await withDaemon(context, options, (daemon) => daemon.call('daemon.status', {}));
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
}

async function examineStorage(settings: Settings): Promise<Finding[]> {
  const roots = settings.sources.flatMap((source) => source.roots);
  const places: StoragePlace[] = [
    { role: 'state', path: settings.stateDirectory, holdsDatabases: false },
    { role: 'repository', path: settings.repositoryDirectory, holdsDatabases: false },
    ...roots.map(({ class: role, path }) => ({ role, path, holdsDatabases: role === 'data' })),
  ];
  const findings: Finding[] = [];
  for (const place of places) {
    findings.push(await examineSpace(place), await examineFileSystem(place));
  }
  findings.push(await examinePrivacy('repository', settings.repositoryDirectory));
  findings.push(await examinePrivacy('state directory', settings.stateDirectory));
  const watched = settings.sources.filter(({ watch }) => watch.enabled && !watch.usePolling);
  const watchedRoots = watched.flatMap((source) => source.roots.map(({ path }) => path));
  return [...findings, await examineWatchLimit(watchedRoots)];
}

const CHILD_MS_MAX = 60_000;
const CHILD_OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

async function probeDatabases(settings: Settings): Promise<readonly DatabaseInUse[]> {
  const roots = settings.sources.flatMap(({ roots: all, databases }) =>
    all.filter((root) => root.class === 'data').map(({ path }) => `${databases.depth}:${path}`),
  );
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [process.argv[1]!, 'doctor-probe', '--json', '--', ...roots],
    { timeout: CHILD_MS_MAX, maxBuffer: CHILD_OUTPUT_BYTES_MAX },
  );
  return (JSON.parse(stdout) as { databases: DatabaseInUse[] }).databases;
}

async function examineUse(settings: Settings, answer: DaemonAnswer): Promise<Finding[]> {
  const own = [process.pid, ...(answer instanceof HoldfastError ? [] : [answer.pid])];
  const tools = examineBackupTools(await listProcesses(), own);
  try {
    const databases = await probeDatabases(settings);
    return [
      ...tools,
      ok('databases', `${counted(databases.length, 'database')} found`),
      ...(await examineLibraries(databases, own)),
    ];
  } catch (error) {
    const reason = messageOf(error).split('\n')[0]!;
    const problem = failure('databases', reason, 'Run this as the user of the daemon.');
    return [...tools, problem];
  }
}

async function examineProofs(
  context: CommandContext,
  options: GlobalOptions,
  settings: Settings,
  answer: DaemonAnswer,
): Promise<Finding[]> {
  const nowMs = context.clock.nowMs();
  try {
    const proofs = await (answer instanceof HoldfastError
      ? readProofs(context, options, settings)
      : answer.sources.map(({ name, lastVerifiedAt }) => ({
          source: name,
          verifiedAt: lastVerifiedAt,
        })));
    return proofs.map((proof) => examineProof(proof, nowMs));
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    if (error.code === 'REPO_UNINITIALISED') return [ok('repository', 'there is none yet')];
    return [failure('repository', error.message, error.hint ?? 'Run holdfast check.')];
  }
}

/** Newest first: a proof beyond these is too old to count. */
const SNAPSHOTS_READ_MAX = 1000;

async function readProofs(
  context: CommandContext,
  options: GlobalOptions,
  settings: Settings,
): Promise<ProofOfRestore[]> {
  const { readOffline } = await import('../offline-reading.ts');
  // Refused where there is no repository, unlike a list, which is then merely empty.
  await readOffline(context, options, 'repository.statistics', {});
  const proofs: ProofOfRestore[] = [];
  for (const { id, name } of settings.sources) {
    const { items } = await readOffline(context, options, 'snapshot.list', {
      sourceId: id,
      limit: SNAPSHOTS_READ_MAX,
    });
    const times = items
      .filter(({ verifiedOk }) => verifiedOk === true)
      .map(({ verifiedAt }) => verifiedAt ?? '');
    proofs.push({ source: name, verifiedAt: times.sort().at(-1) ?? null });
  }
  return proofs;
}
