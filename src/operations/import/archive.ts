import { chmod, mkdir, rm, stat, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { extractArchive } from '../../artifacts/archives/extract-archive.ts';
import { captureSource } from '../../capture/capture-source.ts';
import { isAtOrBelow } from '../../capture/logical-paths.ts';
import { rootPrefix } from '../../config/root-paths.ts';
import type { RootSettings, SourceSettings } from '../../config/settings.ts';
import { checkLogicalPath } from '../../files/safe-path.ts';
import { cannot, systemCode } from '../../kernel/errors.ts';
import { snapshotResult } from '../backup.ts';
import { type OperationContext, requireSource } from '../operation.ts';
import { openRepositoryWriter } from '../repository-access.ts';
import { TOOL_VERSION } from '../version.ts';
import { rootsIn } from './archive-roots.ts';
import { formatOf } from './format.ts';
import type { ImportInto } from './parameters.ts';

/**
 * An archive as a snapshot of a source, to be looked at, compared and restored like any other. It never counts as a
 * state that the source was in: not for `latest`, nor for recovery, nor as what the next snapshot is measured against.
 */
export async function importArchive(
  context: OperationContext,
  params: ImportInto<'snapshot'>,
): Promise<Record<string, unknown>> {
  const { from, under, tags } = params;
  const source = requireSource(context.settings, params.sourceId);
  if ((await formatOf(from)) !== 'archive') {
    throw cannot('INVALID_PARAMS', 'import as a snapshot', from, 'it is no archive', {
      hint: 'A database, SQL text or tables go into a database: name it with --database.',
    });
  }
  if (under !== undefined) requireBelowRoot(source, under);
  const tree = join(context.scratchDirectory, 'archive');
  try {
    const extracted = await extractBelow(context, source, { from, tree, under });
    const roots = await rootsIn(tree, source, from);
    const { format, entries, bytes } = extracted;
    const made = await captureTree(context, source, { from, roots, tags });
    return { from, format, entries, bytes, ...made };
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}

/** @throws PATH_UNSAFE, INVALID_PARAMS */
function requireBelowRoot(source: SourceSettings, under: string): void {
  checkLogicalPath(under);
  if (source.roots.some((root) => isAtOrBelow(under, rootPrefix(root)))) return;
  throw cannot('INVALID_PARAMS', 'import below', under, `"${source.name}" has no such root`, {
    hint: `Begin with one of: ${source.roots.map(rootPrefix).join(', ')}.`,
  });
}

async function extractBelow(
  { activity }: OperationContext,
  source: SourceSettings,
  place: { readonly from: string; readonly tree: string; readonly under: string | undefined },
) {
  const { from, tree, under } = place;
  const directory = under === undefined ? tree : join(tree, under);
  await mkdir(dirname(directory), { recursive: true, mode: 0o700 });
  activity.progress({ phase: 'extract', currentFile: basename(from) });
  const extracted = await extractArchive(from, directory, { activity });
  if (under !== undefined) await likeLive(source, tree, under);
  return extracted;
}

/** Directories that no archive spoke of look as they do where they belong; from the deepest up, as times go. */
async function likeLive(source: SourceSettings, tree: string, under: string): Promise<void> {
  const root = source.roots.find((each) => isAtOrBelow(under, rootPrefix(each)))!;
  const prefix = rootPrefix(root);
  for (let path = under; isAtOrBelow(path, prefix); path = dirname(path)) {
    await lookLike(join(tree, path), join(root.path, path.slice(prefix.length)));
  }
}

async function lookLike(directory: string, live: string): Promise<void> {
  const looks = await stat(live).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  });
  await chmod(directory, (looks?.mode ?? 0o755) & 0o777);
  if (looks !== null) await utimes(directory, looks.atime, looks.mtime);
}

interface Captured {
  readonly from: string;
  readonly roots: ReadonlyMap<string, RootSettings>;
  readonly tags: readonly string[];
}

async function captureTree(
  context: OperationContext,
  source: SourceSettings,
  { from, roots, tags }: Captured,
): Promise<Record<string, unknown>> {
  const { activity, settings, clock, jobId, scratchDirectory } = context;
  const writer = await openRepositoryWriter(settings, clock, activity, 'import');
  try {
    const { id, manifest } = await captureSource(
      {
        source: everythingOf(source, [...roots.values()]),
        type: 'full',
        origin: 'import',
        reason: `import of ${basename(from)}`,
        jobId,
        // Nothing is taken for unchanged by its looks; content that is known is not stored twice all the same.
        parent: null,
        forbiddenPaths: [],
        scratchDirectory,
        toolVersion: TOOL_VERSION,
        rootPaths: livePaths(source),
      },
      writer,
      activity,
      clock,
    );
    const notes = await writer.reader.readNotes(id);
    const wanted = [...new Set([...notes.tags, ...tags])].sort();
    if (wanted.length > 0) await writer.writeNotes(id, { ...notes, tags: wanted });
    for (const warning of manifest.warnings) activity.warn(warning);
    return snapshotResult(id, manifest);
  } finally {
    await writer.close();
  }
}

const livePaths = ({ roots }: SourceSettings): Map<string, string> =>
  new Map(roots.map((root) => [rootPrefix(root), root.path]));

/** What the source leaves out of its own snapshots is no reason to lose a part of the archive. */
function everythingOf(source: SourceSettings, roots: readonly RootSettings[]): SourceSettings {
  return {
    ...source,
    roots: roots.map((root) => ({ ...root, include: [] })),
    ...{ include: [], exclude: [], defaultExcludes: false },
    ...{ maxFileBytes: null, unreadable: 'fail', plugins: [], keys: [], tags: [] },
    databases: { ...source.databases, check: 'full' },
  };
}
