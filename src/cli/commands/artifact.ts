import { tmpdir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { cannot } from '../../kernel/errors.ts';
import { requireConfirmation } from '../confirmation.ts';
import type { CommandContext, CommandRun } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { exitCodeOfJob, type FinishedJob } from '../job-outcome.ts';
import { runAside } from '../offline.ts';
import { listField, textField } from '../output/document-fields.ts';
import { noteError, printJobEnd } from '../report.ts';
import { connectUnlessDown, finishJob, type JobRequest, runJob } from '../run-job.ts';

type PayloadFormat = 'sqlite-file' | 'sqldump' | 'jsonl-tables';

interface ArtifactOptions extends GlobalOptions {
  readonly source?: string;
  readonly database?: string;
  readonly snapshot?: string;
  readonly format?: PayloadFormat;
  readonly file?: string;
  readonly ref?: string;
  readonly out?: string;
  readonly overwrite?: boolean;
  readonly force?: boolean;
  /** False: none; absent: as the settings say. */
  readonly alias?: string | false;
  readonly keyPrefix?: string;
  readonly porcelain?: boolean;
  readonly yes?: boolean;
  readonly wait?: boolean;
}

/** Fields that were given. */
function given<Fields extends Record<string, unknown>>(fields: Fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Key in keyof Fields]: Exclude<Fields[Key], undefined>;
  };
}

/** With --porcelain, stdout holds the names that a script goes on with, one a line, and nothing else. */
function printEnd(
  context: CommandContext,
  options: ArtifactOptions,
  job: FinishedJob,
  names: (result: Readonly<Record<string, unknown>>) => (string | null)[],
): ExitCode {
  if (options.porcelain !== true) return printJobEnd(context, options, job);
  if (job.error !== null) noteError(context, job.error);
  else for (const name of names(job.result ?? {})) context.terminal.out(name ?? '');
  return exitCodeOfJob(job);
}

/** Where secrets are that a worker aside needs: its own state directory is an empty one. */
async function secretsIn(context: CommandContext, options: GlobalOptions): Promise<string> {
  const { loadOfflineSettings } = await import('../../config/load-settings.ts');
  return (await loadOfflineSettings(options, context.environment)).stateDirectory;
}

function placeOf(artifact: string | undefined, { ref }: ArtifactOptions) {
  if ((artifact === undefined) === (ref === undefined)) {
    throw cannot('INVALID_PARAMS', 'find artifact', artifact ?? ref ?? '', 'one place is meant', {
      hint: 'Name a file, or with --ref what the store has.',
    });
  }
  return ref === undefined ? { from: resolve(artifact!) } : { ref };
}

/** `holdfast artifact export [SOURCE] --out FILE`, or `--file DATABASE`: any file, without daemon and repository */
export const exportOne: CommandRun<ArtifactOptions> = async (context, [sourceId], options) => {
  const { snapshot: snapshotId, database, overwrite, format: payloadFormat, file } = options;
  const to = resolve(options.out!);
  const wanted = given({ sourceId, snapshotId, database, payloadFormat, overwrite });
  const names = (result: Readonly<Record<string, unknown>>) => [textField(result, 'to')];
  if (file !== undefined) {
    if (sourceId !== undefined || snapshotId !== undefined || database !== undefined) {
      throw cannot('INVALID_PARAMS', 'export', file, 'a file has neither source nor snapshot', {
        hint: 'Give --file and --out alone.',
      });
    }
    const params = {
      ...wanted,
      ...{ action: 'export', file: resolve(file), to },
      secretsIn: await secretsIn(context, options),
    };
    const job = await runAside(context, options, { kind: 'artifact', params }, dirname(to));
    return printEnd(context, options, job, names);
  }
  const params = { ...wanted, to };
  const job = await finishJob(context, options, {
    method: 'artifact.export',
    params,
    offline: { kind: 'artifact', params: { ...params, action: 'export' } },
  });
  return printEnd(context, options, job, names);
};

/** `holdfast artifact verify FILE | --ref NAME [--source S]` */
export const verify: CommandRun<ArtifactOptions> = async (context, [artifact], options) => {
  const place = placeOf(artifact, options);
  const { source: sourceId, database } = options;
  const params = { ...place, ...given({ sourceId, database }) };
  const offline = { ...params, action: 'verify' };
  if ('ref' in place) {
    return runJob(context, options, {
      method: 'artifact.verify',
      params,
      offline: { kind: 'artifact', params: offline },
    });
  }
  const aside = { ...offline, secretsIn: await secretsIn(context, options) };
  const job = { kind: 'artifact', params: aside } as const;
  return printJobEnd(context, options, await runAside(context, options, job, tmpdir()));
};

/** The name of the source that is meant: the daemon is asked where none was given. */
async function sourceNamed(
  context: CommandContext,
  options: ArtifactOptions,
): Promise<string | undefined> {
  if (options.source !== undefined) return options.source;
  const daemon = await connectUnlessDown(context, options);
  if (daemon === null) return undefined;
  try {
    const { items } = await daemon.call('source.list', {});
    return items.length === 1 ? items[0]!.id : undefined;
  } finally {
    daemon.close();
  }
}

/** `holdfast artifact import FILE | --ref NAME [--source S] [--database PATH] [--force --yes]` */
export const importOne: CommandRun<ArtifactOptions> = async (context, [artifact], options) => {
  const place = placeOf(artifact, options);
  const { database, force } = options;
  const sourceId = await sourceNamed(context, options);
  const params = { ...place, ...given({ sourceId, database, force }) };
  if (force === true) {
    await requireConfirmation(context, options, {
      verb: 'import by force',
      thing: artifact ?? options.ref ?? '',
      question: `Replace ${database ?? 'the database'} of ${sourceId ?? 'the source'}, whatever it holds? A snapshot of it is taken first.`,
    });
  }
  const request: JobRequest<'artifact.import'> = {
    method: 'artifact.import',
    params: { ...params, ...(force === true ? given({ confirm: sourceId }) : {}) },
    offline: { kind: 'artifact', params: { ...params, action: 'import' } },
  };
  return runJob(context, options, request);
};

/** `holdfast artifact publish [SOURCE]` */
export const publish: CommandRun<ArtifactOptions> = async (context, [sourceId], options) => {
  const { snapshot: snapshotId, database, format: payloadFormat, keyPrefix } = options;
  const alias = options.alias === false ? null : options.alias;
  const params = given({ sourceId, snapshotId, database, payloadFormat, keyPrefix, alias });
  const job = await finishJob(context, options, {
    method: 'artifact.publish',
    params,
    offline: { kind: 'publish', params },
  });
  return printEnd(context, options, job, (result) =>
    listField(result, 'artifacts').map((each) => textField(each, 'ref')),
  );
};

/** `holdfast artifact fetch NAME --out FILE` */
export const fetchOne: CommandRun<ArtifactOptions> = async (context, [ref], options) => {
  const params = {
    ref: ref!,
    to: resolve(options.out!),
    ...given({ overwrite: options.overwrite }),
  };
  const job = await finishJob(context, options, {
    method: 'artifact.fetch',
    params,
    offline: { kind: 'artifact', params: { ...params, action: 'fetch' } },
  });
  return printEnd(context, options, job, (result) => [textField(result, 'ref')]);
};
