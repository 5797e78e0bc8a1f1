import { z } from 'zod';
import { computed, groupOf, type Options, objectOf, required, withDefault } from './option.ts';
import {
  absolutePath,
  byteCount,
  cronExpression,
  displayName,
  duration,
  formatBytes,
  formatDuration,
  hostTimeZone,
  identifier,
  timeZone,
} from './option-values.ts';

/**
 * Every option there is. Names are those of settings.ts: nothing is mapped between the file and the program.
 * A name that ends in `Ms` or `Bytes…` takes a number in that unit, or text with a unit of its own.
 */

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const MEBIBYTE = 2 ** 20;

/** A duration with a default, written in the documentation as people would. */
function durationOption(value: number, bounds: { min: number; max: number }, help: string) {
  return withDefault(duration(bounds), value, {
    type: 'duration',
    absent: `\`${formatDuration(value)}\``,
    help,
  });
}

function choice<const Values extends readonly [string, ...string[]]>(
  values: Values,
  value: Values[number],
  help: string,
) {
  return withDefault(z.enum(values) as z.ZodType<Values[number]>, value, {
    type: values.map((each) => `\`${each}\``).join(' · '),
    help,
  });
}

function toggle(value: boolean, help: string) {
  return withDefault(z.boolean(), value, { type: 'boolean', help });
}

export const watchOptions = {
  enabled: withDefault(z.boolean(), true, {
    type: 'boolean',
    flag: '--no-watch',
    help: 'Take a snapshot whenever something changed.',
  }),
  quietMs: durationOption(
    5 * SECOND_MS,
    { min: 0, max: DAY_MS },
    'A snapshot is taken once nothing has changed for this long.',
  ),
  maxWaitMs: durationOption(
    5 * MINUTE_MS,
    { min: 0, max: 7 * DAY_MS },
    'At the latest this long after the first change, even if changes go on.',
  ),
  minGapMs: durationOption(
    MINUTE_MS,
    { min: 0, max: 7 * DAY_MS },
    'At least this long between two snapshots that are taken because of changes.',
  ),
  pollMs: durationOption(
    MINUTE_MS,
    { min: 100, max: DAY_MS },
    'How often size and time of every file are compared as well, because no file system reports every change. Where there are no events at all, this is the only means.',
  ),
  usePolling: toggle(false, 'Never use file system events.'),
} satisfies Options;

const trigger = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('cron'),
    expression: cronExpression,
    timeZone: timeZone.default(hostTimeZone),
  }),
  z.strictObject({
    type: z.literal('interval'),
    intervalMs: duration({ min: SECOND_MS, max: 366 * DAY_MS }),
  }),
]);

export const scheduleOptions = {
  id: computed(identifier, {
    type: 'identifier',
    absent: 'the kind',
    help: 'Unique within the source. Under this id the next due time outlives a restart.',
  }),
  kind: choice(
    ['backup', 'check', 'verify', 'drill'],
    'backup',
    'What is done: `backup` takes a full snapshot, `check` examines the repository, `verify` reads the newest snapshot of the source completely, `drill` restores the newest good one to scratch and holds it against its checks and the assertions.',
  ),
  trigger: required(trigger, {
    type: 'trigger',
    help: '`{type: interval, intervalMs: 6h}`, or `{type: cron, expression: "0 3 * * *", timeZone: Europe/Paris}`. A cron expression has five fields, or six with seconds first; if both day fields are restricted, both must match. Without `timeZone` the host\'s own holds.',
  }),
  enabled: toggle(true, 'Whether the schedule runs.'),
  catchUp: choice(
    ['one', 'none'],
    'one',
    'Runs that were missed while the daemon was down: made up for by one run, or by none.',
  ),
} satisfies Options;

export const rootOptions = {
  class: choice(
    ['data', 'config', 'extra'],
    'data',
    'A source has at most one `data` and one `config` root, and any number of `extra` ones.',
  ),
  name: withDefault(
    z
      .string()
      .regex(
        /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
        'expected 1 to 64 of A-Z, a-z, 0-9, dot, underscore and hyphen',
      )
      .nullable(),
    null,
    {
      type: 'text',
      absent: 'none',
      help: 'Names an `extra` root, and only such a one; its files are `extra/<name>/…` in a snapshot.',
    },
  ),
  path: required(absolutePath, {
    type: 'absolute path',
    help: 'The directory. It may be missing when the daemon starts.',
  }),
  required: toggle(true, 'Whether a backup fails while the directory is missing, or only warns.'),
} satisfies Options;

export const databaseOptions = {
  depth: withDefault(z.number().int().min(0).max(32), 0, {
    type: 'number',
    help: 'How many levels below a data root boot checks and recovery look for databases; 0 is its top level. Snapshots recognise databases at any depth.',
  }),
  check: choice(
    ['quick', 'full'],
    'quick',
    'How deeply each database is checked in every snapshot: `quick_check` or `integrity_check`.',
  ),
} satisfies Options;

export const assertionOptions = {
  name: required(displayName, {
    type: 'text',
    help: 'What is asserted, for whoever reads a failed drill. Unique in the source.',
  }),
  database: required(z.string().min(1, 'expected a path such as data/app.db').max(1024), {
    type: 'path in a snapshot',
    help: 'The database, such as `data/app.db`.',
  }),
  sql: required(z.string().min(1, 'expected a query').max(16_384), {
    type: 'SQL',
    help: 'One query. It runs read-only on the restored copy.',
  }),
  expect: required(
    z.union([z.number(), z.string().max(4096), z.null()], {
      error: 'expected "rows", "no-rows", a text, a number or null',
    }),
    {
      type: '`rows` · `no-rows` · text · number · null',
      help: 'Whether the query must give rows, or none; or else the value that the first column of its first row must have.',
    },
  ),
} satisfies Options;

export const recoveryOptions = {
  onBoot: choice(
    ['recover', 'check', 'off'],
    'recover',
    'What the daemon does about a corrupt database before it is ready: repair it, report it, or not look.',
  ),
  deadlineMsPerGigabyte: durationOption(
    30 * SECOND_MS,
    { min: SECOND_MS, max: DAY_MS },
    'How long the check or repair of one database may take, for each gigabyte of it; never less than a minute in all.',
  ),
  allowPartial: toggle(
    true,
    'Whether a repair that loses rows, or cannot tell whether it does, is installed without being asked. If not, only a repair that is known to lose nothing is.',
  ),
  maxLossRows: withDefault(z.int().min(0).max(Number.MAX_SAFE_INTEGER).nullable(), null, {
    type: 'number',
    absent: 'no limit',
    help: 'A repair that loses more rows than this is not installed; nor one whose loss cannot be counted, since a table could not be read to its end.',
  }),
  maxSnapshotAgeMs: withDefault(duration({ min: SECOND_MS, max: 3660 * DAY_MS }).nullable(), null, {
    type: 'duration',
    absent: 'no limit',
    help: 'A repair with content of a snapshot older than this is not installed, unless it is proven to be what was there.',
  }),
} satisfies Options;

export const sourceOptions = {
  name: required(displayName, { type: 'text', help: 'What people call the source. Unique.' }),
  id: computed(identifier, {
    type: 'identifier',
    absent: 'made from the name',
    help: 'What snapshots belong to. Never change it; to rename a source, write its old id here and change the name.',
  }),
  roots: required(
    z
      .array(
        z.preprocess(
          (value) => (typeof value === 'string' ? { class: 'data', path: value } : value),
          objectOf(rootOptions),
        ),
      )
      .min(1, 'expected at least one root')
      .max(64, 'expected at most 64 roots'),
    { type: 'list of roots', help: 'The directories to protect. A bare path is a `data` root.' },
  ),
  exclude: withDefault(
    z
      .array(z.string().min(1, 'an empty pattern matches nothing').max(1024))
      .max(1024, 'expected at most 1024 patterns'),
    [],
    {
      type: 'list of patterns',
      help: 'Glob patterns of what to leave out, against paths as a snapshot lists them: `data/cache/**`.',
    },
  ),
  databases: groupOf(databaseOptions, { type: 'group', help: 'How databases are treated.' }),
  watch: groupOf(watchOptions, { type: 'group', help: 'Snapshots because something changed.' }),
  schedules: withDefault(
    z.array(objectOf(scheduleOptions)).max(64, 'expected at most 64 schedules'),
    [
      {
        id: 'backup',
        kind: 'backup',
        trigger: { type: 'interval', intervalMs: 6 * HOUR_MS },
        enabled: true,
        catchUp: 'one',
      },
      {
        id: 'check',
        kind: 'check',
        trigger: { type: 'interval', intervalMs: 7 * DAY_MS },
        enabled: true,
        catchUp: 'one',
      },
    ],
    {
      type: 'list of schedules',
      absent: 'a backup every 6 hours and a check every 7 days',
      help: 'What happens at given times. An empty list turns all of it off.',
    },
  ),
  recovery: groupOf(recoveryOptions, { type: 'group', help: 'Corrupt databases.' }),
  assertions: withDefault(
    z.array(objectOf(assertionOptions)).max(100, 'expected at most 100 assertions'),
    [],
    {
      type: 'list of assertions',
      help: 'What must hold in every restored snapshot, in SQL: drills evaluate it.',
    },
  ),
} satisfies Options;

export const workerOptions = {
  memoryBytesMax: withDefault(byteCount({ min: 128 * MEBIBYTE, max: 2 ** 40 }), 2 ** 30, {
    type: 'bytes',
    absent: `\`${formatBytes(2 ** 30)}\``,
    help: 'A worker that uses more memory is ended and its job fails.',
  }),
  jobDeadlineMs: durationOption(
    6 * HOUR_MS,
    { min: SECOND_MS, max: 30 * DAY_MS },
    'A job that takes longer, whatever it does, is ended and fails: that is how one that hangs comes to an end.',
  ),
} satisfies Options;

export const quarantineOptions = {
  maxCount: withDefault(z.int().min(0).max(1_000_000).nullable(), 100, {
    type: 'number',
    help: 'More than these are not kept; `null`: any number.',
  }),
  maxAgeMs: withDefault(duration({ min: HOUR_MS, max: 3660 * DAY_MS }).nullable(), 90 * DAY_MS, {
    type: 'duration',
    absent: `\`${formatDuration(90 * DAY_MS)}\``,
    help: 'What is older is not kept; `null`: of any age.',
  }),
  minFreeBytes: withDefault(byteCount({ min: 0, max: 2 ** 50 }), 0, {
    type: 'bytes',
    absent: 'no bound',
    help: 'While less is free where the state directory lies, the oldest go.',
  }),
} satisfies Options;

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
      help: 'A group whose members may use the socket as well.',
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
  { at: 'quarantine', options: quarantineOptions },
  { at: 'worker', options: workerOptions },
  { at: 'sources[]', options: sourceOptions },
  { at: 'sources[].roots[]', options: rootOptions },
  { at: 'sources[].databases', options: databaseOptions },
  { at: 'sources[].watch', options: watchOptions },
  { at: 'sources[].schedules[]', options: scheduleOptions },
  { at: 'sources[].recovery', options: recoveryOptions },
  { at: 'sources[].assertions[]', options: assertionOptions },
];
