import { counted } from './counted.ts';
import { type LooseDocument, listField, numberField, textField } from './document-fields.ts';
import { printable } from './printable.ts';

const versions = (steps: readonly LooseDocument[]): string =>
  steps.map((step) => `${textField(step, 'version')}_${textField(step, 'name')}`).join(', ');

/** The end of a job of kind `migrate`, whichever it was. */
export function renderMigration(result: LooseDocument): string {
  const databases = listField(result, 'databases');
  if (textField(result, 'direction') !== null) return printable(renderChange(result));
  if (databases.length === 0) return 'No database has migrations.';
  const line = textField(result, 'snapshotId') === null ? renderDatabase : renderCompatibility;
  return databases.map((each) => printable(line(each))).join('\n');
}

function renderChange(result: LooseDocument): string {
  const from = textField(result, 'from');
  const to = textField(result, 'to');
  const message = textField(result, 'message') ?? '';
  const place = textField(result, 'database') ?? '';
  if ((numberField(result, 'migrationsRun') ?? 0) === 0) return `${place}: ${message}`;
  const snapshot = textField(result, 'preMigrateSnapshotId');
  const kept = snapshot === null ? '' : `; before that: snapshot ${snapshot.slice(0, 8)}`;
  return `${place}: from ${from} to ${to}, ${message}${kept}`;
}

function renderDatabase(each: LooseDocument): string {
  const pending = listField(each, 'pending');
  const changed = listField(each, 'changed');
  const version = textField(each, 'version') ?? 'no known version';
  const name = `${textField(each, 'sourceId')} ${textField(each, 'database')}`;
  const parts = [`${name}: ${version}`];
  if (textField(each, 'state') === 'missing') parts.push('there is no such database');
  if (pending.length > 0) {
    parts.push(`${counted(pending.length, 'step')} to run: ${versions(pending)}`);
  }
  if (changed.length > 0) parts.push(`changed after they had run: ${versions(changed)}`);
  const state = textField(each, 'state');
  if (state === 'newer' || state === 'unknown') parts.push(textField(each, 'message') ?? state);
  return parts.join('; ');
}

const renderCompatibility = (each: LooseDocument): string =>
  `${each['compatible'] === true ? 'ok' : 'no'}: ${textField(each, 'message') ?? ''}`;

/** What a restore did, or a dry run would do, about older databases. */
export function renderRestoredVersions(result: LooseDocument): string[] {
  const isDryRun = result['dryRun'] === true;
  const ran = new Set(listField(result, 'migrations').map((each) => textField(each, 'database')));
  return listField(result, 'compatibility')
    .filter((each) => each['requiresMigration'] === true)
    .filter((each) => isDryRun || ran.has(textField(each, 'database')))
    .map((each) => {
      const way = `from ${textField(each, 'backupVersion')} to ${textField(each, 'currentVersion')}`;
      const verb = isDryRun ? 'would be migrated' : 'was migrated';
      return printable(`${textField(each, 'database')} ${verb} ${way}`);
    });
}
