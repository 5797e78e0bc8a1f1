import {
  documentField,
  type LooseDocument,
  listField,
  textField,
} from './output/document-fields.ts';

/** The databases that a recover job looked at, and what their states mean for whoever waits for them. */

/** Databases of all sources in a recover job's result. */
export function recoveredDatabases(result: LooseDocument | null): LooseDocument[] {
  const sources = documentField(result, 'sources') ?? {};
  return Object.keys(sources).flatMap((id) => [
    ...listField(documentField(sources, id), 'databases'),
  ]);
}

/**
 * An application may start on these. One in use was opened by somebody who could; an encrypted one is beyond our
 * judgement but not the application's. Damaged, regressed and missing ones wait for a person.
 */
const FIT_STATES: readonly (string | null)[] = ['ok', 'skipped', 'recovered', 'busy', 'encrypted'];

export const isFit = (database: LooseDocument): boolean =>
  FIT_STATES.includes(textField(database, 'state'));
