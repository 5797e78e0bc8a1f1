import { cannot } from '../kernel/errors.ts';

export const EXPORT_FORMATS = ['db', 'sql', 'jsonl', 'tar', 'tar.gz', 'tar.zst', 'zip'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

const ENDINGS: readonly (readonly [RegExp, ExportFormat])[] = [
  [/\.(db|sqlite|sqlite3|db3)$/i, 'db'],
  [/\.sql$/i, 'sql'],
  [/\.(jsonl|ndjson)$/i, 'jsonl'],
  [/\.tar$/i, 'tar'],
  [/\.(tar\.gz|tgz)$/i, 'tar.gz'],
  [/\.(tar\.zst|tzst)$/i, 'tar.zst'],
  [/\.zip$/i, 'zip'],
];

/** The format that was named, or the one that the name of the file speaks of. @throws INVALID_PARAMS */
export function exportFormat(named: ExportFormat | undefined, to: string): ExportFormat {
  const format = named ?? ENDINGS.find(([ending]) => ending.test(to))?.[1];
  if (format !== undefined) return format;
  throw cannot('INVALID_PARAMS', 'export to', to, 'nothing says in which format', {
    hint: `Give --format: ${EXPORT_FORMATS.join(', ')}.`,
  });
}
