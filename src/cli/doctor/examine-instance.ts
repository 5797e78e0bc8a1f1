import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, messageOf, systemCode } from '../../kernel/errors.ts';
import { SOCKET_PATH_BYTES_MAX } from '../../kernel/limits.ts';
import type { DaemonStatus } from '../../protocol/method-map.ts';
import { isDaemonDown } from '../daemon-connection.ts';
import { formatDuration } from '../output/format-time.ts';
import { type Finding, failure, ok, warning } from './finding.ts';

/** What answered on the socket: the daemon's status, or the error. */
export type DaemonAnswer = DaemonStatus | HoldfastError;

export function examineDaemon(socketPath: string, answer: DaemonAnswer): Finding[] {
  const findings: Finding[] = [];
  if (Buffer.byteLength(socketPath) > SOCKET_PATH_BYTES_MAX) {
    findings.push(
      failure(
        'socket',
        `${socketPath} is longer than ${SOCKET_PATH_BYTES_MAX} bytes`,
        'Choose a shorter path with --socket.',
      ),
    );
  }
  if (answer instanceof HoldfastError) {
    const hint = answer.hint ?? 'Start the daemon.';
    findings.push(
      isDaemonDown(answer)
        ? warning('daemon', `no daemon listens on ${socketPath}`, 'Start it: holdfast daemon.')
        : failure('daemon', answer.message, hint),
    );
    return findings;
  }
  if (answer.ready) findings.push(ok('daemon', `ready, process ${answer.pid}`));
  else {
    findings.push(
      warning(
        'daemon',
        `starting: ${answer.bootPhase}`,
        'Wait; holdfast status shows how far it is.',
      ),
    );
  }
  for (const { message } of answer.warnings) {
    findings.push(warning('daemon', message, 'holdfast status shows the whole picture.'));
  }
  return findings;
}

interface LockHolder {
  readonly pid: number;
  readonly purpose: string;
  readonly since: string;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

/**
 * Who says it holds the instance lock. Only the note beside the lock is read: asking the lock itself could make a
 * daemon that starts right now fail.
 */
export async function examineLock(stateDirectory: string, answer: DaemonAnswer): Promise<Finding> {
  const path = join(stateDirectory, 'instance.lock.holder');
  let holder: LockHolder;
  try {
    holder = JSON.parse(await readFile(path, 'utf8')) as LockHolder;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return ok('lock', 'nobody ever held the instance lock');
    return warning('lock', `${path}: ${messageOf(error)}`, 'Run this as the user of the daemon.');
  }
  const { pid, purpose, since } = holder;
  if (!isAlive(pid)) return ok('lock', `last held by process ${pid} (${purpose}), which is gone`);
  const isDaemon = !(answer instanceof HoldfastError) && answer.pid === pid;
  if (isDaemon) return ok('lock', `held by the daemon since ${since}`);
  return warning(
    'lock',
    `process ${pid} (${purpose}) may hold the instance lock since ${since}`,
    'Wait for it to finish; the lock goes with its process.',
  );
}

const RESTORE_PROOF_AGE_MS_MAX = 30 * 86_400_000;

export interface ProofOfRestore {
  readonly source: string;
  /** ISO time of the newest verification that read everything; null: never. */
  readonly verifiedAt: string | null;
}

/** The age of the last proof that a restore would work. */
export function examineProof({ source, verifiedAt }: ProofOfRestore, nowMs: number): Finding {
  const hint = 'Run holdfast verify --latest --deep.';
  if (verifiedAt === null) {
    return warning('proof', `${source}: no snapshot was ever verified`, hint);
  }
  const ageMs = nowMs - Date.parse(verifiedAt);
  const message = `${source}: last verified ${formatDuration(ageMs)} ago`;
  return ageMs > RESTORE_PROOF_AGE_MS_MAX ? warning('proof', message, hint) : ok('proof', message);
}
