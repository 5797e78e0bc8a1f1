import { counted } from './counted.ts';
import { type LooseDocument, numberField } from './document-fields.ts';
import { formatBytes } from './format-bytes.ts';

/** What a conversion of the repository came to, or would take. */
export function renderConversion(result: LooseDocument): string {
  const discarded = numberField(result, 'discarded');
  if (discarded !== null) {
    return discarded === 0 ? 'No conversion was begun.' : 'What was converted so far is removed.';
  }
  const snapshots = counted(numberField(result, 'snapshots') ?? 0, 'snapshot');
  if (result['dryRun'] === true) {
    const figure = (name: string): string => formatBytes(numberField(result, name) ?? 0);
    return `${snapshots} would be converted: ${figure('neededBytes')} are needed beside what is there, ${figure('freeBytes')} are free.`;
  }
  const rest =
    result['formerRemoved'] === true
      ? 'what they were is removed'
      : 'what they were goes when nobody reads it any more';
  return `${snapshots} sealed under a new master key; ${rest}.`;
}
