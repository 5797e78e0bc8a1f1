import { tableExportHandlers } from './export.ts';
import type { HandlersOf } from './handler.ts';
import { tableImportHandlers } from './import.ts';

export const tableHandlers: HandlersOf<'table'> = {
  ...tableExportHandlers,
  ...tableImportHandlers,
};
