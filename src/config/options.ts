import { z } from 'zod';
import { computed, groupOf, type Options, objectOf, withDefault } from './option.ts';
import { absolutePath } from './option-values.ts';
import {
  artifactOptions,
  artifactStoreOptions,
  artifactsOptions,
  signingOptions,
  verifyKeyOptions,
} from './options/artifact-options.ts';
import { assertionOptions } from './options/assertion-options.ts';
import { bandwidthOptions } from './options/bandwidth-options.ts';
import { databaseOptions } from './options/database-options.ts';
import { hookOptions, hooksOptions } from './options/hook-options.ts';
import { jobOptions } from './options/job-options.ts';
import { keyOptions } from './options/key-options.ts';
import { migrationOptions } from './options/migration-options.ts';
import { choice } from './options/option-shapes.ts';
import { pluginOptions } from './options/plugin-options.ts';
import { pruneOptions } from './options/prune-options.ts';
import { quarantineOptions } from './options/quarantine-options.ts';
import { recoveryOptions } from './options/recovery-options.ts';
import { repositoryKey, repositoryKeyOptions } from './options/repository-key-options.ts';
import { retentionOptions } from './options/retention-options.ts';
import { retryOptions } from './options/retry-options.ts';
import { rootOptions } from './options/root-options.ts';
import { scheduleOptions } from './options/schedule-options.ts';
import { serviceOptions } from './options/service-options.ts';
import { sourceOptions } from './options/source-options.ts';
import { watchOptions } from './options/watch-options.ts';
import { workerOptions } from './options/worker-options.ts';
import { retentionPolicy } from './retention-policy.ts';

/**
 * Every option there is. Names are those of settings.ts: nothing is mapped between the file and the program.
 * A name that ends in `Ms` or `Bytes…` takes a number in that unit, or text with a unit of its own.
 */

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const topOptions = {
  stateDirectory: computed(absolutePath, {
    type: 'absolute path',
    flag: '--state DIR',
    variable: 'HOLDFAST_STATE',
    absent:
      'the first of `$STATE_DIRECTORY`, `/var/lib/holdfast` for root, `$XDG_STATE_HOME/holdfast`, `~/.local/state/holdfast`',
    help: 'Where Holdfast keeps what it must remember: jobs, reports, quarantine.',
  }),
  repositoryDirectory: computed(absolutePath, {
    type: 'absolute path',
    flag: '--repository DIR',
    variable: 'HOLDFAST_REPOSITORY',
    absent: '`repository` in the state directory',
    help: 'Where snapshots are kept. Put it on another disk than the data where you can.',
  }),
  repositoryKey: withDefault(repositoryKey, null, {
    type: 'group',
    absent: 'the repository is not encrypted',
    help: 'What opens the repository; with it a new one is made encrypted, and one that is not encrypted is refused. Whoever loses every key loses every snapshot: keep one on paper or on another machine.',
  }),
  socketPath: computed(absolutePath, {
    type: 'absolute path',
    flag: '--socket PATH',
    variable: 'HOLDFAST_SOCKET',
    absent:
      '`holdfast.sock` in the first of `$RUNTIME_DIRECTORY`, `/run/holdfast` for root, `$XDG_RUNTIME_DIR/holdfast`, the state directory',
    help: 'The socket that clients talk to; at most 103 bytes.',
  }),
  socketGroup: withDefault(
    z
      .string()
      .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/, 'expected the name or the number of a group')
      .nullable(),
    null,
    {
      type: 'text',
      absent: 'the owner alone',
      help: 'A group whose members may use the socket as well: to look, to take snapshots, verify, check and drill. Everything else is for the owner of the daemon and root.',
    },
  ),
  logLevel: withDefault(z.enum(LOG_LEVELS), 'info', {
    type: LOG_LEVELS.map((level) => `\`${level}\``).join(' · '),
    flag: '--log-level LEVEL',
    help: 'The least important messages that are still logged.',
  }),
  codec: choice(
    ['auto', 'brotli', 'zstd', 'none'],
    'auto',
    'How chunks are compressed. `auto` takes what this runtime does best; every snapshot can be read whatever it was written with.',
  ),
  verifyWrites: choice(
    ['sample', 'all'],
    'sample',
    'How many of the chunks just written are read back before a snapshot counts: a sample and all deltas, or every one.',
  ),
  quarantine: groupOf(quarantineOptions, {
    type: 'group',
    help: 'How long originals are kept that a restore or a repair replaced. Once a day the oldest go, but never what may hold rows that no repair could save, nor anything of the last hour.',
  }),
  prune: groupOf(pruneOptions, {
    type: 'group',
    help: 'How `holdfast prune` gives back the space of what no snapshot needs any more.',
  }),
  retention: withDefault(retentionPolicy, null, {
    type: 'policy',
    absent: 'every snapshot stays',
    help: 'Which snapshots stay, of sources that have no `retention` of their own: the options of `sources[].retention`, or the name of a policy. Nothing is ever removed without one.',
  }),
  schedules: computed(z.array(objectOf(scheduleOptions)).max(64, 'expected at most 64 schedules'), {
    type: 'list of schedules',
    absent:
      'a `check` every 7 days; where any source has a `retention`, a `forget` every day and a `prune` every 7 days too',
    help: 'What happens to the repository as a whole at given times: `forget`, `prune` and `check`, with the options of `sources[].schedules`. An empty list turns all of it off.',
  }),
  hooks: groupOf(hooksOptions, {
    type: 'group',
    help: 'Hooks of sources that have none of their own for that moment.',
  }),
  hookShell: withDefault(absolutePath, '/bin/sh', {
    type: 'absolute path',
    help: 'What hooks and plugins that are text are handed to, with `-c`.',
  }),
  jobs: groupOf(jobOptions, { type: 'group', help: 'What is remembered of finished jobs.' }),
  bandwidth: groupOf(bandwidthOptions, {
    type: 'group',
    help: 'How fast each job may read and write the repository. A job may ask for bounds of its own.',
  }),
  artifacts: groupOf(artifactsOptions, {
    type: 'group',
    help: 'Databases that travel to other installations: see artifacts.md.',
  }),
  worker: groupOf(workerOptions, { type: 'group', help: 'The processes that do the work.' }),
  sources: withDefault(
    z.array(objectOf(sourceOptions)).max(256, 'expected at most 256 sources'),
    [],
    {
      type: 'list of sources',
      flag: '--data DIR',
      absent: 'none',
      help: 'What is protected. Each `--data DIR` stands for a source of that name with this one root; if the flag is given at all, the sources of the file are left aside.',
    },
  ),
} satisfies Options;

/** What a configuration file may hold. */
export const configurationSchema = objectOf(topOptions);
export type Configuration = z.output<typeof configurationSchema>;
export type SourceConfiguration = Configuration['sources'][number];

/** Where each group of options stands in the file: for suggestions and for the documentation. */
export const optionGroups: readonly { readonly at: string; readonly options: Options }[] = [
  { at: '', options: topOptions },
  { at: 'repositoryKey', options: repositoryKeyOptions },
  { at: 'quarantine', options: quarantineOptions },
  { at: 'prune', options: pruneOptions },
  { at: 'jobs', options: jobOptions },
  { at: 'bandwidth', options: bandwidthOptions },
  { at: 'artifacts', options: artifactsOptions },
  { at: 'artifacts.store', options: artifactStoreOptions },
  { at: 'artifacts.signWith', options: signingOptions },
  { at: 'artifacts.verifyWith[]', options: verifyKeyOptions },
  { at: 'worker', options: workerOptions },
  { at: 'sources[]', options: sourceOptions },
  { at: 'sources[].roots[]', options: rootOptions },
  { at: 'sources[].keys[]', options: keyOptions },
  { at: 'sources[].databases', options: databaseOptions },
  { at: 'sources[].watch', options: watchOptions },
  { at: 'sources[].schedules[]', options: scheduleOptions },
  { at: 'sources[].retry', options: retryOptions },
  { at: 'sources[].retention', options: retentionOptions },
  { at: 'sources[].recovery', options: recoveryOptions },
  { at: 'sources[].hooks', options: hooksOptions },
  { at: 'sources[].hooks.pre', options: hookOptions },
  { at: 'sources[].plugins[]', options: pluginOptions },
  { at: 'sources[].service', options: serviceOptions },
  { at: 'sources[].assertions[]', options: assertionOptions },
  { at: 'sources[].artifacts[]', options: artifactOptions },
  { at: 'sources[].migrations[]', options: migrationOptions },
];
