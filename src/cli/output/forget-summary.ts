import { counted } from './counted.ts';
import { type LooseDocument, listField, numberField, textField } from './document-fields.ts';
import { printable } from './printable.ts';

/** What a forget job removed, a line for each source, and what nobody looks after. */
export function renderForget(result: LooseDocument): string {
  const isDryRun = result['dryRun'] === true;
  const lines = listField(result, 'sources').map((source) => {
    const name = textField(source, 'sourceName') ?? '?';
    const skipped = textField(source, 'skippedReason');
    if (skipped !== null) return `${name}: skipped, ${skipped}`;
    const removed = counted(numberField(source, 'removedCount') ?? 0, 'snapshot');
    const verb = isDryRun ? 'would be removed' : 'removed';
    return `${name}: ${removed} ${verb}, ${numberField(source, 'keptCount') ?? 0} kept`;
  });
  for (const orphan of listField(result, 'orphaned')) {
    const snapshots = counted(numberField(orphan, 'snapshots') ?? 0, 'snapshot');
    const id = textField(orphan, 'sourceId') ?? '?';
    lines.push(`${snapshots} of "${id}", which is no longer configured, stay: --orphaned ${id}`);
  }
  return lines.map(printable).join('\n');
}
