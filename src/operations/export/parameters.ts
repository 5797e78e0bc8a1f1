import { z } from 'zod';

/** What can be made of a snapshot: a part of it as one file that other programs read. */

export const DATABASE_FORMATS = ['db', 'sql', 'jsonl'] as const;
export const ARCHIVE_FORMATS = ['tar', 'tar.gz', 'tar.zst', 'zip'] as const;
export type DatabaseFormat = (typeof DATABASE_FORMATS)[number];

/** A file of the host, or a socket on which somebody waits for the bytes. */
const target = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('file'), path: z.string().startsWith('/') }),
  z.strictObject({ type: z.literal('socket'), path: z.string().startsWith('/') }),
]);

export const exportParameters = z
  .strictObject({
    /** Id, unique prefix of it, or `latest`. */
    snapshotId: z.string().min(1).optional(),
    /** Which source `latest` means; without a snapshot, one of it is taken first. */
    sourceId: z.string().min(1).optional(),
    /** In place of both: any SQLite file, read as one moment and left as it is. */
    file: z.string().startsWith('/').optional(),
    format: z.enum([...DATABASE_FORMATS, ...ARCHIVE_FORMATS]),
    /** Logical path. @default the only database of the snapshot */
    database: z.string().min(1).optional(),
    /** Of `jsonl`. @default all */
    tables: z.array(z.string().min(1)).min(1).max(10_000).optional(),
    /** Of `jsonl`: bare objects, without header and footer; of exactly one table. */
    plain: z.boolean().default(false),
    /** Logical, of archives. @default everything */
    paths: z.array(z.string().min(1)).max(10_000).default([]),
    classes: z.array(z.enum(['data', 'config', 'extra'])).default([]),
    to: target,
    overwrite: z.boolean().default(false),
    /** Whether the result is read back. @default of a database that goes to a file; archives are verified as they are read */
    verify: z.boolean().optional(),
  })
  .superRefine((params, context) => {
    const isArchive = !isDatabaseFormat(params.format);
    const mistakes: readonly [boolean, string][] = [
      [
        params.snapshotId === undefined &&
          params.sourceId === undefined &&
          params.file === undefined,
        'nothing is named to export: a snapshot, a source or a file',
      ],
      [
        params.file !== undefined && (params.snapshotId ?? params.sourceId) !== undefined,
        'a file is exported by itself, without a snapshot or a source',
      ],
      [params.file !== undefined && isArchive, 'a single database file is no archive'],
      [
        params.file !== undefined && params.database !== undefined,
        'the file is the database: no other can be named',
      ],
      [
        isArchive && params.database !== undefined,
        'a database is named for an archive: give paths',
      ],
      [
        params.format !== 'jsonl' && (params.tables !== undefined || params.plain),
        'tables can be chosen, and be plain, for jsonl alone',
      ],
      [
        !isArchive && params.paths.length + params.classes.length > 0,
        'paths and classes are for archives: name the database',
      ],
    ];
    for (const [is, message] of mistakes) if (is) context.addIssue({ code: 'custom', message });
  });

export type ExportParameters = z.output<typeof exportParameters>;
export type ExportTo = ExportParameters['to'];

export function isDatabaseFormat(format: ExportParameters['format']): format is DatabaseFormat {
  return (DATABASE_FORMATS as readonly string[]).includes(format);
}
