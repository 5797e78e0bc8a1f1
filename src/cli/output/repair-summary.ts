import { counted } from './counted.ts';
import {
  documentField,
  type LooseDocument,
  listField,
  numberField,
  textField,
} from './document-fields.ts';
import { formatBytes } from './format-bytes.ts';
import { printable } from './printable.ts';

const LINES_MAX = 50;

/** What a repair saved and what is lost, snapshot by snapshot. */
export function renderRepair(result: LooseDocument): string {
  const repair = documentField(result, 'repair') ?? {};
  const figure = (name: string): number => numberField(repair, name) ?? 0;
  const isDryRun = repair['dryRun'] === true;
  const packs = counted(figure('packsDamaged'), 'damaged pack');
  const lines = [
    `${packs}: ${counted(figure('recordsSaved'), 'record')} ${isDryRun ? 'can be' : 'were'} saved, ${figure('recordsLost')} lost`,
    `${counted(figure('snapshotsWhole'), 'snapshot')} whole, ${figure('snapshotsRepaired')} ${isDryRun ? 'can be ' : ''}repaired, ${figure('snapshotsLosing')} with losses`,
  ];
  for (const snapshot of listField(repair, 'snapshots')) {
    for (const part of listField(snapshot, 'lost')) {
      const path = printable(textField(part, 'path') ?? '');
      const bytes = formatBytes(numberField(part, 'bytes') ?? 0);
      const lost = part['isFile'] === true ? `${bytes} lost` : 'lost';
      lines.push(`${textField(snapshot, 'shortId')}:${path}: ${lost}`);
    }
  }
  if (figure('objectsMissing') > 0) {
    lines.push('The next backup stores again what the live data still has: holdfast backup');
  }
  const more = lines.length - LINES_MAX;
  return more <= 0 ? lines.join('\n') : [...lines.slice(0, LINES_MAX), `… ${more} more`].join('\n');
}
