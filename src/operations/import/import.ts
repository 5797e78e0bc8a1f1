import type { Operation } from '../operation.ts';
import { importArchive } from './archive.ts';
import { importDatabase } from './database.ts';
import { type ImportParameters, importParameters } from './parameters.ts';
import { importPlace } from './place.ts';
import { importRows } from './tables.ts';

/** Takes in what an export, or another program, has written. */
export const importOperation: Operation<ImportParameters> = {
  kind: 'import',
  params: importParameters,
  async run(context, params) {
    const { into } = params;
    switch (into) {
      case 'place':
        return { into, ...(await importPlace(context, params)) };
      case 'database':
        return { into, ...(await importDatabase(context, params)) };
      case 'tables':
        return { into, ...(await importRows(context, params)) };
      case 'snapshot':
        return { into, ...(await importArchive(context, params)) };
    }
  },
};
