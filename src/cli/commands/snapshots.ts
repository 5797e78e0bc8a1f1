import type {
  MethodParams,
  MethodResult,
  SnapshotDocument,
  SnapshotItem,
  TreeItem,
} from '../../protocol/method-map.ts';
import type { CommandContext, CommandRun } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import type { ReadMethod } from '../offline-reading.ts';
import { counted } from '../output/counted.ts';
import { formatBytes } from '../output/format-bytes.ts';
import { formatDuration, formatTime } from '../output/format-time.ts';
import { printable } from '../output/printable.ts';
import { type Column, renderFields, renderTable } from '../output/table.ts';
import { printDocument, printList } from '../report.ts';
import { connectUnlessDown } from '../run-job.ts';

/** Asks the daemon, or where there is none reads the repository. */
export async function askOrRead<M extends ReadMethod>(
  context: CommandContext,
  options: GlobalOptions,
  method: M,
  params: MethodParams<M>,
): Promise<MethodResult<M>> {
  const daemon = await connectUnlessDown(context, options);
  if (daemon === null) {
    const { readOffline } = await import('../offline-reading.ts');
    return readOffline(context, options, method, params);
  }
  try {
    return await daemon.call(method, params);
  } finally {
    daemon.close();
  }
}

interface ListOptions extends GlobalOptions {
  readonly limit: number;
  readonly cursor?: string;
  readonly type?: SnapshotItem['type'];
  readonly origin?: SnapshotItem['origin'];
  readonly tag?: string;
  readonly pinned?: boolean;
  readonly good?: boolean;
  readonly verified?: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly text?: string;
}

const SNAPSHOT_COLUMNS: readonly Column<SnapshotItem>[] = [
  { title: 'ID', cell: ({ shortId }) => shortId },
  { title: 'CAPTURED', cell: ({ capturedAt }) => formatTime(capturedAt) },
  { title: 'SOURCE', cell: ({ sourceName }) => sourceName },
  { title: 'TYPE', cell: ({ type }) => type },
  { title: 'ORIGIN', cell: ({ origin }) => origin },
  { title: 'FILES', align: 'right', cell: ({ files }) => String(files) },
  { title: 'DBS', align: 'right', cell: ({ databases }) => String(databases) },
  { title: 'SIZE', align: 'right', cell: ({ totalBytes }) => formatBytes(totalBytes) },
  { title: 'ADDED', align: 'right', cell: ({ addedBytes }) => formatBytes(addedBytes) },
  { title: 'STATE', cell: snapshotState },
  { title: 'TAGS', cell: ({ tags, pinned }) => [...(pinned ? ['pinned'] : []), ...tags].join(' ') },
];

function snapshotState(snapshot: SnapshotItem): { text: string; tone: 'good' | 'bad' | 'faint' } {
  if (!snapshot.good) return { text: 'bad', tone: 'bad' };
  if (snapshot.verifiedOk === false) return { text: 'failed', tone: 'bad' };
  if (snapshot.verifiedLevel === null) return { text: 'good', tone: 'faint' };
  return { text: `verified (${snapshot.verifiedLevel})`, tone: 'good' };
}

/** The conditions that were given, under the names that the call has for them. */
function chosenBy(options: ListOptions) {
  const { type, origin, tag, since, until, text } = options;
  return {
    goodOnly: options.good === true,
    verifiedOnly: options.verified === true,
    ...(options.pinned === true ? { pinned: true } : {}),
    ...(type === undefined ? {} : { type }),
    ...(origin === undefined ? {} : { origin }),
    ...(tag === undefined ? {} : { tag }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(text === undefined ? {} : { text }),
  };
}

/** `holdfast snapshots [SOURCE]` */
export const list: CommandRun<ListOptions> = async (context, [source], options) => {
  const { limit, cursor } = options;
  const page = await askOrRead(context, options, 'snapshot.list', {
    limit,
    ...chosenBy(options),
    ...(cursor === undefined ? {} : { cursor }),
    ...(source === undefined ? {} : { sourceId: source }),
  });
  printList(context, options, page, SNAPSHOT_COLUMNS, 'No snapshots.');
  return EXIT.ok;
};

interface ChoiceOptions extends GlobalOptions {
  readonly source?: string;
}

/** `holdfast show ID` */
export const show: CommandRun<ChoiceOptions> = async (context, [id], options) => {
  const { source } = options;
  const document = await askOrRead(context, options, 'snapshot.get', {
    id: id!,
    ...(source === undefined ? {} : { sourceId: source }),
  });
  printDocument(context, options, document, (snapshot) =>
    renderSnapshot(snapshot, context.terminal.color),
  );
  return EXIT.ok;
};

export function renderSnapshot(snapshot: SnapshotDocument, color: boolean): string {
  const { statistics, host, tool } = snapshot;
  const parts = [
    renderFields([
      ['id', snapshot.id],
      ['source', `${snapshot.sourceName} (${snapshot.sourceId})`],
      ['type', `${snapshot.type}, ${snapshot.origin}`],
      ['reason', snapshot.reason],
      ['captured', `${formatTime(snapshot.capturedAt)}, skew ${formatDuration(snapshot.skewMs)}`],
      ['host', `${host.name} (${host.os} ${host.arch}), ${tool.name} ${tool.version}`],
      ['parent', snapshot.parent?.slice(0, 8) ?? null],
      ['state', snapshotState(snapshot).text],
      ['tags', snapshot.tags.length === 0 ? null : snapshot.tags.join(', ')],
      ['pinned', snapshot.pinned ? 'yes' : null],
      [
        'holds',
        [
          counted(statistics.files, 'file'),
          counted(statistics.directories, 'directory', 'directories'),
          counted(statistics.databases, 'database'),
          formatBytes(statistics.totalBytes),
        ].join(', '),
      ],
      [
        'added',
        `${formatBytes(statistics.addedBytes)}: ${counted(statistics.chunksNew, 'new chunk')}, ${counted(statistics.chunksDelta, 'delta')}, ${statistics.chunksReused} reused`,
      ],
      ...snapshot.roots.map(
        (root) =>
          [root.prefix, root.missing ? `${root.path} (missing)` : root.path] as [string, string],
      ),
    ]),
  ];
  if (snapshot.databaseList.length > 0) {
    parts.push(renderTable(DATABASE_COLUMNS, snapshot.databaseList, color));
  }
  const remarks = [
    ...snapshot.warnings.map((warning) => `warning: ${warning}`),
    ...snapshot.skipped.map(({ path, reason }) => `skipped: ${path} (${reason})`),
    ...describeLogs(snapshot.lineCounts),
    ...snapshot.changedWhileReading.map((path) => `changed while being read: ${path}`),
    ...snapshot.verifications.map(
      ({ at, level, ok }) => `verified: ${formatTime(at)} ${level} ${ok ? 'ok' : 'failed'}`,
    ),
  ];
  if (remarks.length > 0) parts.push(remarks.map(printable).join('\n'));
  return parts.join('\n\n');
}

function describeLogs(counts: SnapshotDocument['lineCounts']): string[] {
  if (counts === null) return [];
  const cut = counts.items.filter(({ partial }) => partial);
  return [
    `logs: ${counted(counts.lines, 'line')} in ${counted(counts.files, 'file')}`,
    ...cut.map(({ path, lines }) => `ends in the middle of line ${lines + 1}: ${path}`),
  ];
}

const DATABASE_COLUMNS: readonly Column<SnapshotDocument['databaseList'][number]>[] = [
  { title: 'DATABASE', cell: ({ path }) => path },
  { title: 'JOURNAL', cell: ({ journalMode }) => journalMode },
  {
    title: 'SIZE',
    align: 'right',
    cell: ({ pageBytes, pageCount }) => formatBytes(pageBytes * pageCount),
  },
  { title: 'METHOD', cell: ({ method }) => method },
  {
    title: 'CHECK',
    cell: ({ check }) =>
      check.ok
        ? { text: `${check.level} ok`, tone: 'good' }
        : { text: `${check.level} failed: ${check.messages[0] ?? ''}`, tone: 'bad' },
  },
];

interface TreeOptions extends ChoiceOptions {
  readonly limit: number;
  readonly cursor?: string;
}

const TREE_COLUMNS: readonly Column<TreeItem>[] = [
  { title: 'MODE', cell: ({ mode }) => (mode === null ? '-' : mode.toString(8).padStart(4, '0')) },
  { title: 'TYPE', cell: ({ type }) => type },
  { title: 'SIZE', align: 'right', cell: ({ bytes }) => formatBytes(bytes) },
  { title: 'MODIFIED', cell: ({ mtime }) => formatTime(mtime) },
  {
    title: 'NAME',
    cell: ({ name, linkTarget }) => (linkTarget === undefined ? name : `${name} -> ${linkTarget}`),
  },
];

/** `holdfast ls ID [PATH]` */
export const tree: CommandRun<TreeOptions> = async (context, [id, path = '/'], options) => {
  const { source, limit, cursor } = options;
  const page = await askOrRead(context, options, 'tree.list', {
    snapshotId: id!,
    path,
    limit,
    ...(source === undefined ? {} : { sourceId: source }),
    ...(cursor === undefined ? {} : { cursor }),
  });
  printList(context, options, page, TREE_COLUMNS, 'The directory is empty.');
  return EXIT.ok;
};
