import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { extractArchive } from '../../artifacts/archives/extract-archive.ts';
import { renameDurably } from '../../files/durable.ts';
import { requireFreeSpace } from '../../files/free-space.ts';
import { putInPlace, requirePlace } from '../export/place.ts';
import type { OperationContext } from '../operation.ts';
import { markAsRollbackMode } from '../restore/staged-database.ts';
import { buildDatabase } from './build-database.ts';
import { withStaging } from './database.ts';
import { formatOf } from './format.ts';
import type { ImportInto } from './parameters.ts';

/** A new database file, or for an archive a new directory: whole or not at all, and of no source. */
export async function importPlace(
  context: OperationContext,
  { from, to, format: named }: ImportInto<'place'>,
): Promise<Record<string, unknown>> {
  const format = named ?? (await formatOf(from));
  const isDatabase = format !== 'archive';
  const place = await requirePlace(context.settings, { path: to, overwrite: false, isDatabase });
  return withStaging(context, place, async (directory) => {
    await requireFreeSpace(directory, (await stat(from)).size, 'import into');
    const staged = join(directory, 'import');
    if (format === 'archive') {
      context.activity.progress({ phase: 'extract', currentFile: basename(from) });
      const extracted = await extractArchive(from, staged, { activity: context.activity });
      // Onto nothing, or an empty directory made meanwhile: never onto something.
      await renameDurably(staged, place);
      return { from, path: place, ...extracted };
    }
    const built = await buildDatabase(context, { from, format, to: staged, strict: false });
    if (format === 'db') await markAsRollbackMode(staged);
    await putInPlace(staged, place, false);
    return { from, path: place, ...built };
  });
}
