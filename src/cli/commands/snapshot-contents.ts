import type { MethodResult } from '../../protocol/method-map.ts';
import type { CommandRun } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { formatBytes } from '../output/format-bytes.ts';
import { formatTime } from '../output/format-time.ts';
import type { Column } from '../output/table.ts';
import { printJson, printList } from '../report.ts';
import { askOrRead } from './snapshots.ts';

interface PageOptions extends GlobalOptions {
  readonly source?: string;
  readonly limit: number;
  readonly cursor?: string;
}

interface FindOptions extends PageOptions {
  readonly type?: 'file' | 'database' | 'directory' | 'symlink';
  readonly since?: string;
  readonly until?: string;
}

type FileItem = MethodResult<'snapshot.files'>['items'][number];
type Version = MethodResult<'snapshot.find'>['items'][number];

const FILE_COLUMNS: readonly Column<FileItem>[] = [
  { title: 'TYPE', cell: ({ type }) => type },
  { title: 'SIZE', align: 'right', cell: ({ bytes }) => formatBytes(bytes) },
  { title: 'MODIFIED', cell: ({ mtime }) => formatTime(mtime) },
  { title: 'PATH', cell: ({ path }) => path },
];

const VERSION_COLUMNS: readonly Column<Version>[] = [
  { title: 'SNAPSHOT', cell: ({ shortId }) => shortId },
  { title: 'CAPTURED', cell: ({ capturedAt }) => formatTime(capturedAt) },
  { title: 'SOURCE', cell: ({ sourceId }) => sourceId },
  ...FILE_COLUMNS,
];

/** Options that were given, under the names that the call has for them. */
function paging({ source, limit, cursor }: PageOptions) {
  return {
    limit,
    ...(source === undefined ? {} : { sourceId: source }),
    ...(cursor === undefined ? {} : { cursor }),
  };
}

/** `holdfast files ID` */
export const files: CommandRun<PageOptions> = async (context, [id], options) => {
  const page = await askOrRead(context, options, 'snapshot.files', {
    id: id!,
    ...paging(options),
  });
  printList(context, options, page, FILE_COLUMNS, 'The snapshot is empty.');
  return EXIT.ok;
};

/** `holdfast find PATTERN` */
export const find: CommandRun<FindOptions> = async (context, [pattern], options) => {
  const { type, since, until } = options;
  const page = await askOrRead(context, options, 'snapshot.find', {
    pattern: pattern!,
    ...(type === undefined ? {} : { type }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...paging(options),
  });
  printList(context, options, page, VERSION_COLUMNS, 'No snapshot holds anything like it.');
  for (const snapshot of page.unreadable) {
    context.terminal.note(`Snapshot ${snapshot.slice(0, 8)} could not be read: holdfast check`);
  }
  return page.unreadable.length > 0 ? EXIT.warnings : EXIT.ok;
};

/** `holdfast manifest ID`: the document as it is stored. */
export const manifest: CommandRun<PageOptions> = async (context, [id], options) => {
  let text = '';
  let offsetBytes: number | null = 0;
  let chosen = id!;
  while (offsetBytes !== null) {
    const slice: MethodResult<'snapshot.manifest'> = await askOrRead(
      context,
      options,
      'snapshot.manifest',
      {
        id: chosen,
        ...(options.source === undefined ? {} : { sourceId: options.source }),
        offsetBytes,
      },
    );
    text += slice.text;
    // `latest` must not become another snapshot half-way.
    chosen = slice.id;
    offsetBytes = slice.nextOffsetBytes;
  }
  if (options.json === true) printJson(context, JSON.parse(text));
  else context.terminal.out(text);
  return EXIT.ok;
};
