import { stat } from 'node:fs/promises';
import { FileSelection, type Listing } from '../capture/select-files.ts';
import { type SelectedRoot, selectRoots } from '../capture/select-roots.ts';
import { rulesOf } from '../capture/selection-rules.ts';
import { isInside } from '../config/own-places.ts';
import type { Settings, SourceSettings } from '../config/settings.ts';
import type { StatusWarning } from '../protocol/method-map.ts';
import { retentionWarnings } from '../retention/policy-warnings.ts';
import type { ApiContext } from './context.ts';

type Finding = readonly [code: string, message: string];

/** Directories looked into until a file is found; the daemon has other things to do. */
const DIRECTORIES_MAX = 200;

/**
 * What is allowed but hardly meant. From settings, from what jobs have learned, and from `stat` and `readdir`:
 * no file of an application is opened.
 * @param only id of the source that is asked about; null: all of them
 */
export async function lintSources(
  { sourceFacts }: Pick<ApiContext, 'sourceFacts'>,
  settings: Settings,
  only: string | null,
): Promise<StatusWarning[]> {
  const warnings: StatusWarning[] = [];
  for (const source of settings.sources) {
    if (only !== null && source.id !== only) continue;
    const roots = await selectRoots(source.roots);
    const paths = sourceFacts(source.id).databases.map(({ path }) => path);
    const findings = [
      ...rootFindings(roots),
      ...overlapFindings(source, settings.sources),
      ...triggerFindings(source),
      ...retentionWarnings(source).map((message): Finding => ['KEEP_HOURLY_UNUSED', message]),
      ...(await selectionFindings(source, roots, paths, settings)),
      ...(await placeFindings(source, roots, settings)),
    ];
    for (const [code, message] of findings) {
      warnings.push({ code, message: `${source.name}: ${message}`, sourceId: source.id });
    }
  }
  return warnings;
}

function rootFindings(roots: readonly SelectedRoot[]): Finding[] {
  return roots.flatMap(({ stat: status, path, problem, sameAs, prefix }): Finding[] => {
    if (status === null) return [['ROOT_MISSING', `the root ${path} is missing: ${problem}`]];
    if (sameAs === null) return [];
    return [['ROOT_OVERLAP', `${prefix} is the same directory as ${sameAs}: it is stored once`]];
  });
}

function overlapFindings(source: SourceSettings, all: readonly SourceSettings[]): Finding[] {
  const findings: Finding[] = [];
  for (const other of all) {
    for (const root of source.roots) {
      for (const { path } of other.roots) {
        const isSelf = other.id === source.id;
        if (!isInside(root.path, path) || (isSelf && root.path === path)) continue;
        const message = isSelf
          ? `the root ${root.path} is inside the root ${path}: its files are stored once, as its own`
          : `the root ${root.path} is also inside the source ${other.name}: both store its files, and restoring one changes the other`;
        findings.push(['ROOT_OVERLAP', message]);
      }
    }
  }
  return findings;
}

function triggerFindings({ enabled, watch, schedules }: SourceSettings): Finding[] {
  if (!enabled) return [['SOURCE_DISABLED', 'it is turned off: only snapshots by hand are taken']];
  const isScheduled = schedules.some((each) => each.kind === 'backup' && each.enabled);
  if (watch.enabled || isScheduled) return [];
  return [['NO_TRIGGER', 'nothing takes snapshots by itself: no schedule does, nor a change']];
}

async function selectionFindings(
  source: SourceSettings,
  roots: readonly SelectedRoot[],
  databases: readonly string[],
  settings: Settings,
): Promise<Finding[]> {
  const { repositoryDirectory, stateDirectory, socketPath } = settings;
  const forbiddenPaths = [repositoryDirectory, stateDirectory, socketPath];
  const selection = await FileSelection.create({ ...rulesOf(source), forbiddenPaths, roots });
  const findings: Finding[] = [];
  const present = roots.filter((root) => root.stat !== null && root.sameAs === null);
  if (present.length > 0 && !(await hasFile(selection, present))) {
    findings.push(['NOTHING_SELECTED', 'its roots and rules select no file at all']);
  }
  for (const path of databases) {
    const root = present.find((each) => isInside(path, each.path));
    if (root === undefined) continue;
    const rule = selection.reasonFor(root.prefix + path.slice(root.path.length));
    if (rule !== null) {
      findings.push(['DATABASE_EXCLUDED', `the database ${path} is in no snapshot: ${rule}`]);
    }
  }
  return findings;
}

/** Whether there is a file to be captured; true as well where that would take too long to find out. */
async function hasFile(selection: FileSelection, roots: readonly SelectedRoot[]): Promise<boolean> {
  const waiting = roots.map(({ path, prefix }) => ({ path, logicalPath: prefix }));
  for (let looked = 0; looked < DIRECTORIES_MAX; looked += 1) {
    const next = waiting.shift();
    if (next === undefined) return false;
    const { entries }: Listing = await selection.list(next.path, next.logicalPath);
    if (entries.some(({ kind }) => kind !== 'directory')) return true;
    waiting.push(...entries);
  }
  return true;
}

async function placeFindings(
  source: SourceSettings,
  roots: readonly SelectedRoot[],
  { repositoryDirectory }: Settings,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const repository = await stat(repositoryDirectory, { bigint: true }).catch(() => null);
  const shared = roots.find((root) => root.stat !== null && root.stat.dev === repository?.dev);
  if (shared !== undefined) {
    findings.push([
      'SAME_FILE_SYSTEM',
      `the repository is on the same file system as ${shared.path}: what takes one takes the other`,
    ]);
  }
  for (const { name, path } of source.keys) {
    if (path === null) continue;
    const root = roots.find((each) => isInside(path, each.path));
    if (root !== undefined) {
      findings.push([
        'KEY_INSIDE',
        `the key ${name} is inside the root ${root.path}: snapshots hold it`,
      ]);
    }
    if ((await stat(path).catch(() => null)) === null) {
      findings.push(['KEY_MISSING', `the key ${name} is not at ${path}`]);
    }
  }
  return findings;
}
