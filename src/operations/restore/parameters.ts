import { homedir } from 'node:os';
import { join, normalize } from 'node:path';
import { z } from 'zod';
import { FileSelection } from '../../capture/select-files.ts';
import { selectRoots } from '../../capture/select-roots.ts';
import { rulesOf } from '../../capture/selection-rules.ts';
import type { Settings, SourceSettings } from '../../config/settings.ts';
import { cannot } from '../../kernel/errors.ts';
import type { LiveListing, RestoreTarget } from '../../restore/restore-request.ts';
import { ownRestores } from '../../restore/restore-roots.ts';
import { ownPaths } from '../operation.ts';

/** What every kind of restore takes: which part of which snapshot, and how. */
export const selectionParameters = {
  snapshotId: z.string().min(1),
  sourceId: z.string().optional(),
  paths: z.array(z.string().min(1)).max(10_000).default([]),
  classes: z.array(z.enum(['data', 'config', 'extra'])).default([]),
  overwrite: z.enum(['always', 'if-changed', 'if-newer', 'never']).optional(),
  /** `mirror`: what the snapshot does not hold is removed from the directories that are restored. */
  mode: z.enum(['merge', 'mirror']).default('merge'),
  /** A snapshot of what the plan touches is taken first; in place only. */
  checkpoint: z.boolean().default(true),
  check: z.enum(['none', 'quick', 'full']).default('quick'),
  /** Databases that hold something may be replaced. */
  replaceDatabases: z.boolean().default(false),
  /** Databases that are older than their migrations are brought up to date. */
  migrate: z.boolean().default(true),
  /** Databases that are newer come back as they are. */
  allowNewer: z.boolean().default(false),
};

export const targetParameter = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('directory'),
    /** Absolute, or below `~/`, `$HOME/` or `${HOME}/`; absent: a new one in the state directory. */
    path: z.string().min(1).optional(),
    allowNonEmpty: z.boolean().optional(),
  }),
  z.strictObject({ type: z.literal('in-place') }),
]);

const HOME = /^(?:~|\$HOME|\$\{HOME\})(?=\/|$)/;

/**
 * The directory a person means: absolute, or in the home of the user that Holdfast runs as.
 * @throws INVALID_PARAMS for any other variable, and for a path that would depend on where Holdfast runs
 */
export function expandDirectory(path: string): string {
  const expanded = path.replace(HOME, () => homedir());
  if (expanded.startsWith('/')) return normalize(expanded).replace(/(.)\/$/, '$1');
  throw cannot('INVALID_PARAMS', 'restore to', path, 'it is not absolute', {
    hint: 'Give an absolute directory, or one below ~/ or $HOME/; no other variable is replaced.',
  });
}

export function targetOf(
  target: z.infer<typeof targetParameter>,
  source: () => SourceSettings,
  settings: Settings,
  jobId: string,
): RestoreTarget {
  if (target.type === 'in-place') return { type: 'in-place', roots: source().roots };
  const { path, allowNonEmpty = false } = target;
  const directory =
    path === undefined ? join(ownRestores(settings.stateDirectory), jobId) : expandDirectory(path);
  return { type: 'directory', path: directory, allowNonEmpty };
}

/**
 * What stands in a source's directories, by the rules of capture: what no snapshot would hold is not listed.
 * Null: in a directory of no source.
 */
export async function liveListing(
  source: SourceSettings | null,
  settings: Settings,
): Promise<LiveListing> {
  const selection = await FileSelection.create({
    ...(source === null ? { exclude: [], include: [] } : rulesOf(source)),
    forbiddenPaths: ownPaths(settings),
    roots: await selectRoots(source?.roots ?? []),
  });
  return {
    async list(directory, logicalPath) {
      const { entries, skips, failure } = await selection.list(directory, logicalPath);
      return {
        entries: entries.map(({ name, path, logicalPath: logical, kind, stat }) => {
          return {
            name,
            path,
            logicalPath: logical,
            kind,
            bytes: kind === 'file' ? Number(stat.size) : 0,
          };
        }),
        leavesOthers: skips.length > 0 || failure !== null,
      };
    },
  };
}
