import { z } from 'zod';
import { DEFAULT_EXCLUDES } from '../default-excludes.ts';
import { computed, groupOf, type Options, objectOf, required, withDefault } from '../option.ts';
import { byteCount, displayName, identifier } from '../option-values.ts';
import { retentionPolicy } from '../retention-policy.ts';
import { artifactOptions } from './artifact-options.ts';
import { assertionOptions } from './assertion-options.ts';
import { databaseOptions } from './database-options.ts';
import { hooksOptions } from './hook-options.ts';
import { keyOptions } from './key-options.ts';
import { migrationOptions } from './migration-options.ts';
import { choice, HOUR_MS } from './option-shapes.ts';
import { pluginOptions } from './plugin-options.ts';
import { recoveryOptions } from './recovery-options.ts';
import { retryOptions } from './retry-options.ts';
import { rootOptions } from './root-options.ts';
import { scheduleOptions } from './schedule-options.ts';
import { serviceOptions } from './service-options.ts';
import { watchOptions } from './watch-options.ts';

const patterns = z
  .array(z.string().min(1, 'an empty pattern matches nothing').max(1024))
  .max(1024, 'expected at most 1024 patterns');

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
  enabled: withDefault(z.boolean(), true, {
    type: 'boolean',
    help: 'Whether snapshots are taken by themselves, on schedule and because of changes. Those asked for by hand, checks and recovery do not depend on it.',
  }),
  include: withDefault(patterns, [], {
    type: 'list of patterns',
    absent: 'everything',
    help: 'If given, only these files, and those in these directories, are captured: `config/*.yaml`. A pattern that matches nothing is noted in the snapshot.',
  }),
  defaultExcludes: withDefault(z.boolean(), true, {
    type: 'boolean',
    help: `Leaves out what applications make anew by themselves: ${DEFAULT_EXCLUDES.map((each) => `\`${each}\``).join(', ')}. A snapshot counts all that it leaves out, and lists it.`,
  }),
  exclude: withDefault(patterns, [], {
    type: 'list of patterns',
    help: 'Glob patterns of what to leave out, against paths as a snapshot lists them: `data/cache/**`.',
  }),
  maxFileBytes: withDefault(byteCount({ min: 1, max: 2 ** 53 - 1 }).nullable(), null, {
    type: 'bytes',
    absent: 'no bound',
    help: 'Larger files are left out, and counted. Databases are captured whatever their size.',
  }),
  countLines: withDefault(patterns, ['**/*.jsonl', '**/*.ndjson'], {
    type: 'list of patterns',
    help: 'Logs whose lines each snapshot counts, by the paths that it lists them by. One that ends in the middle of a line is noted.',
  }),
  unreadable: choice(
    ['warn', 'fail'],
    'warn',
    'What a backup does about files that it cannot read: it leaves them out, lists them and ends with a warning, or it fails.',
  ),
  tags: withDefault(z.array(z.string().min(1).max(64)).max(32, 'expected at most 32 tags'), [], {
    type: 'list of texts',
    help: 'Every snapshot that a backup takes has these tags.',
  }),
  keys: withDefault(z.array(objectOf(keyOptions)).max(32, 'expected at most 32 keys'), [], {
    type: 'list of keys',
    help: 'Keys that the application needs beside its data, and that are not in its snapshots. Each snapshot holds a fingerprint of them, never the key, and a restore warns where the key at hand is another.',
  }),
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
        jitterMs: 0,
        overlap: 'skip',
      },
    ],
    {
      type: 'list of schedules',
      absent: 'a backup every 6 hours',
      help: 'What happens at given times. An empty list turns all of it off.',
    },
  ),
  retry: groupOf(retryOptions, {
    type: 'group',
    help: 'Scheduled runs that failed of something that may pass, such as a busy database. Snapshots because of changes are tried again in any case, after a minute, then after ever more, up to half an hour.',
  }),
  retention: computed(retentionPolicy, {
    type: 'policy',
    absent: 'the top-level `retention`',
    help: 'Which snapshots stay: the options below, or `gfs` (`gfs: {}`), `count` (`count: 10`) or `age` (`maxAgeMs: 7d`); `null`: all of them.',
  }),
  recovery: groupOf(recoveryOptions, { type: 'group', help: 'Corrupt databases.' }),
  hooks: groupOf(hooksOptions, {
    type: 'group',
    help: 'Commands before and after backups and restores in place.',
  }),
  plugins: withDefault(
    z.array(objectOf(pluginOptions)).max(32, 'expected at most 32 plugins'),
    [],
    {
      type: 'list of plugins',
      help: 'Files that a command writes out for the snapshot.',
    },
  ),
  service: withDefault(objectOf(serviceOptions).nullable(), null, {
    type: 'group',
    absent: 'a restore in place is refused while the application has a database open',
    help: 'Commands that stop and start the application around a restore in place.',
  }),
  artifacts: withDefault(
    z.array(objectOf(artifactOptions)).max(32, 'expected at most 32 databases'),
    [],
    {
      type: 'list of databases',
      help: 'How databases of this source travel: what their artifacts say, which fit, and what a database that is not there yet is made from.',
    },
  ),
  assertions: withDefault(
    z.array(objectOf(assertionOptions)).max(100, 'expected at most 100 assertions'),
    [],
    {
      type: 'list of assertions',
      help: 'What must hold in every restored snapshot, in SQL: drills evaluate it, and so does a restore in place, which is undone where it does not hold.',
    },
  ),
  migrations: withDefault(
    z.array(objectOf(migrationOptions)).max(64, 'expected at most 64 databases'),
    [],
    {
      type: 'list of migrations',
      help: 'The steps from one version of a database to the next: what a restore brings back is brought up to the newest version by them, and what is newer is refused.',
    },
  ),
} satisfies Options;
