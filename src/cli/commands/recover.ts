import { dirname, resolve } from 'node:path';
import { cannot } from '../../kernel/errors.ts';
import type { CommandContext, CommandRun } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { runAside } from '../offline.ts';
import { printJobEnd } from '../report.ts';
import { runJob } from '../run-job.ts';
import { passGate } from '../start-gate.ts';

interface RecoverOptions extends GlobalOptions {
  readonly ifNeeded?: boolean;
  readonly force?: boolean;
  readonly checkOnly?: boolean;
  readonly source?: string;
  readonly database?: string;
  readonly dryRun?: boolean;
  readonly acceptLoss?: boolean;
  readonly from?: string;
  readonly to?: string;
  readonly wait?: boolean;
}

type Mode = 'if-needed' | 'force' | 'check-only';

function chosenMode({ ifNeeded, force, checkOnly }: RecoverOptions): Mode {
  if ([ifNeeded, force, checkOnly].filter((chosen) => chosen === true).length > 1) {
    throw cannot('INVALID_PARAMS', 'recover', '--if-needed', 'the choices exclude each other', {
      hint: 'Give one of --if-needed, --force and --check-only.',
    });
  }
  if (force === true) return 'force';
  return checkOnly === true ? 'check-only' : 'if-needed';
}

function refuse(what: string, hint: string): Error {
  return cannot('INVALID_PARAMS', 'recover', what, 'that does not go together', { hint });
}

/** Any file, with a configuration or without: a worker of this command, and nothing of the daemon. */
async function recoverToFile(
  context: CommandContext,
  options: RecoverOptions,
  params: Readonly<Record<string, unknown>>,
  to: string,
): Promise<ExitCode> {
  if (options.database === undefined) {
    throw refuse('--to', 'Give --database PATH as well: one file is written.');
  }
  const gate = options.ifNeeded ?? options.force ?? options.checkOnly ?? options.acceptLoss;
  if (gate === true || options.wait === false) {
    throw refuse('--to', 'Give --database, --from, --source and --dry-run alone with --to.');
  }
  const job = { kind: 'recover', params: { ...params, to } } as const;
  return printJobEnd(context, options, await runAside(context, options, job, dirname(to)));
}

/** `holdfast recover`; with --if-needed the gate that an application's start waits for. */
export const run: CommandRun<RecoverOptions> = async (context, _args, options) => {
  const params = {
    mode: chosenMode(options),
    ...(options.source === undefined ? {} : { sourceId: options.source }),
    ...(options.database === undefined ? {} : { database: resolve(options.database) }),
    ...(options.dryRun === true ? { dryRun: true } : {}),
    ...(options.acceptLoss === true ? { acceptLoss: true } : {}),
    ...(options.from === undefined ? {} : { from: options.from }),
  };
  if (options.to !== undefined) {
    return recoverToFile(context, options, params, resolve(options.to));
  }
  const request = {
    method: 'recovery.run',
    params,
    offline: { kind: 'recover', params },
  } as const;
  return options.ifNeeded === true
    ? passGate(context, options, request)
    : runJob(context, options, request);
};
