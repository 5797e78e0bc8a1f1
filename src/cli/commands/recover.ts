import { resolve } from 'node:path';
import { cannot } from '../../kernel/errors.ts';
import type { CommandRun } from '../context.ts';
import type { GlobalOptions } from '../global-options.ts';
import { runJob } from '../run-job.ts';
import { passGate } from '../start-gate.ts';

interface RecoverOptions extends GlobalOptions {
  readonly ifNeeded?: boolean;
  readonly force?: boolean;
  readonly checkOnly?: boolean;
  readonly source?: string;
  readonly database?: string;
  readonly dryRun?: boolean;
  readonly wait: boolean;
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

/** `holdfast recover`; with --if-needed the gate that an application's start waits for. */
export const run: CommandRun<RecoverOptions> = async (context, _args, options) => {
  const params = {
    mode: chosenMode(options),
    ...(options.source === undefined ? {} : { sourceId: options.source }),
    ...(options.database === undefined ? {} : { database: resolve(options.database) }),
    ...(options.dryRun === true ? { dryRun: true } : {}),
  };
  const request = {
    method: 'recovery.run',
    params,
    offline: { kind: 'recover', params },
  } as const;
  return options.ifNeeded === true
    ? passGate(context, options, request)
    : runJob(context, options, request);
};
