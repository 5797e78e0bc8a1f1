import { counted } from './counted.ts';
import { documentField, type LooseDocument, numberField } from './document-fields.ts';
import { formatBytes } from './format-bytes.ts';

/** What a prune freed, or would. */
export function renderPrune(result: LooseDocument): string {
  const isDryRun = result['dryRun'] === true;
  const number = (name: string): number => numberField(result, name) ?? 0;
  const lines = [
    `${formatBytes(number('bytesFreed'))} ${isDryRun ? 'would be freed' : 'freed'}: ${counted(number('packsDropped'), 'pack')} dropped, ${number('packsRewritten')} rewritten, ${number('packsAfter')} left`,
  ];
  const waiting = number('snapshotsInGrace');
  if (waiting > 0) lines.push(`${counted(waiting, 'removed snapshot')} in grace, data kept`);
  return lines.join('\n');
}

/** What a deletion removed. */
export function renderDelete(result: LooseDocument): string {
  const removed = Array.isArray(result['removed']) ? result['removed'].length : 0;
  return `Removed ${counted(removed, 'snapshot')}; the space comes back by: holdfast prune`;
}

/** What was found beside the catalog, and what became of it. */
export function renderReconcile(result: LooseDocument): string {
  const report = documentField(result, 'repository');
  if (report === null) return 'Leftovers of interrupted work were dealt with.';
  const lines = Object.entries(report).flatMap(([name, value]) =>
    Array.isArray(value) && value.length > 0 ? [`${name}: ${value.length}`] : [],
  );
  if (lines.length === 0) return 'Folder and catalog agree.';
  return [result['dryRun'] === true ? 'Would be put right:' : 'Put right:', ...lines].join('\n');
}
