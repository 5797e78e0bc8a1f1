import type { FinishedJob } from '../job-outcome.ts';
import { renderArtifact, renderBootstrap, renderPublish } from './artifact-summary.ts';
import { renderConversion } from './conversion-summary.ts';
import { counted } from './counted.ts';
import { renderDiff } from './diff-summary.ts';
import {
  documentField,
  type LooseDocument,
  listField,
  numberField,
  textField,
} from './document-fields.ts';
import { renderForget } from './forget-summary.ts';
import { formatBytes } from './format-bytes.ts';
import { formatDuration } from './format-time.ts';
import { renderMigration, renderRestoredVersions } from './migration-summary.ts';
import { printable } from './printable.ts';
import { renderRecovery } from './recovery-summary.ts';
import { renderRepair } from './repair-summary.ts';
import { renderDelete, renderPrune, renderReconcile } from './repository-summary.ts';
import { renderCoverage, renderDiscovered } from './source-summary.ts';
import { type Column, renderTable } from './table.ts';
import { renderExport, renderImport } from './transfer-summary.ts';

/** The end of a job in words, for stdout; '' where there is nothing to say. Errors are shown elsewhere. */
export function renderJobSummary(job: FinishedJob, color: boolean): string {
  const { result } = job;
  if (result === null) return job.status === 'cancelled' ? 'Cancelled.' : '';
  const render = RENDERERS[job.kind];
  return render(result, color);
}

const RENDERERS: Readonly<
  Record<FinishedJob['kind'], (result: LooseDocument, color: boolean) => string>
> = {
  backup: renderBackup,
  restore: renderRestore,
  stage: (result) => {
    const id = textField(result, 'pendingId') ?? '';
    const snapshot = (textField(result, 'snapshotId') ?? '').slice(0, 8);
    return `Staged snapshot ${snapshot} as ${id}: ${formatBytes(numberField(result, 'bytes') ?? 0)}. Put it in place: holdfast restore apply ${id}`;
  },
  apply: (result) => {
    const restores = listField(result, 'restores');
    const lines = restores.map(
      (each) => `Put staged snapshot ${(textField(each, 'snapshotId') ?? '').slice(0, 8)} in place`,
    );
    return lines.length === 0 ? 'Nothing was put in place.' : lines.join('\n');
  },
  recover: renderRecovery,
  verify: (result) => {
    const verified = listField(result, 'verified');
    return `Verified ${counted(verified.length, 'snapshot')}: all ok.`;
  },
  drill: (result) =>
    listField(result, 'drills')
      .map((drill) => printable(renderDrill(drill)))
      .join('\n'),
  check: (result) => {
    if (result['repair'] !== undefined) return renderRepair(result);
    const figure = (name: string): number => numberField(result, name) ?? 0;
    const read = figure('readBytes') > 0 ? `, ${formatBytes(figure('readBytes'))} read` : '';
    return `The repository is sound: ${counted(figure('snapshots'), 'snapshot')} in ${counted(figure('packs'), 'pack')}${read}.`;
  },
  forget: renderForget,
  prune: renderPrune,
  delete: renderDelete,
  coverage: renderCoverage,
  discover: renderDiscovered,
  diff: renderDiff,
  artifact: renderArtifact,
  publish: renderPublish,
  bootstrap: renderBootstrap,
  export: renderExport,
  import: renderImport,
  maintain: renderMaintain,
  init: renderInit,
  key: renderKey,
  copy: (result) =>
    `Copied ${counted(numberField(result, 'copied') ?? 0, 'snapshot')}; ${printable(textField(result, 'to') ?? '')} now has ${numberField(result, 'present') ?? 0}. Name it and its key in the configuration to use it.`,
  convert: renderConversion,
  accept: (result) =>
    `The repository is taken for right as it stands: ${counted(numberField(result, 'count') ?? 0, 'finding')} accepted.`,
  hook: (result) =>
    `The hook ended well after ${formatDuration(numberField(result, 'durationMs') ?? 0)}.`,
  plugin: (result) =>
    `The plugin would collect ${counted(numberField(result, 'files') ?? 0, 'file')}, ${formatBytes(numberField(result, 'bytes') ?? 0)}.`,
  annotate: (result) =>
    `Changed the notes of ${counted(listField(result, 'snapshots').length, 'snapshot')}.`,
  migrate: renderMigration,
  reseal: (result) =>
    `Snapshot ${(textField(result, 'snapshotId') ?? '').slice(0, 8)} verifies; its notes were replaced.`,
  rebuild: (result) => {
    const snapshots = numberField(result, 'snapshots');
    return snapshots === null
      ? 'The catalog was rebuilt.'
      : `The catalog was rebuilt: ${counted(snapshots, 'snapshot')}.`;
  },
  reconcile: renderReconcile,
};

function renderMaintain(result: LooseDocument): string {
  const figure = (name: string): number => numberField(result, name) ?? 0;
  const database = printable(textField(result, 'database') ?? '');
  switch (textField(result, 'action')) {
    case 'statistics':
      return `${database}: ${formatBytes(figure('bytes'))}, ${figure('pageCount')} pages of ${figure('pageBytes')} bytes, ${textField(result, 'journalMode')}, WAL ${formatBytes(figure('walBytes'))}`;
    case 'checkpoint':
      return result['busy'] === true
        ? `${database} is in use: ${figure('checkpointed')} of ${figure('frames')} frames are in.`
        : `${database}: ${figure('checkpointed')} of ${figure('frames')} frames are in.`;
    default:
      return `${database}: the planner's statistics are up to date.`;
  }
}

function renderDrill(drill: LooseDocument): string {
  const figure = (name: string): number => numberField(drill, name) ?? 0;
  const what = [
    `${formatBytes(figure('bytes'))} in ${formatDuration(figure('restoreMs'))}`,
    `${counted(figure('databases'), 'database')} checked`,
    `${counted(listField(drill, 'assertions').length, 'assertion')} held`,
    `${formatDuration(figure('durationMs'))} in all`,
  ];
  const id = (textField(drill, 'snapshotId') ?? '').slice(0, 8);
  return `Snapshot ${id} of ${textField(drill, 'sourceId') ?? '?'} restores: ${what.join(', ')}`;
}

function renderBackup(result: LooseDocument): string {
  const statistics = documentField(result, 'statistics');
  const figure = (name: string): number => numberField(statistics, name) ?? 0;
  const id = textField(result, 'shortId') ?? textField(result, 'snapshotId') ?? '';
  if (result['unchanged'] === true) {
    const at = textField(result, 'capturedAt') ?? '?';
    return printable(`Nothing has changed since snapshot ${id} of ${at}: no new one was taken.`);
  }
  const flaws: string[] = [];
  if (result['good'] === false) flaws.push('a database failed its check: kept as evidence');
  const skipped = numberField(result, 'skippedCount') ?? 0;
  if (skipped > 0) flaws.push(`${counted(skipped, 'entry', 'entries')} skipped`);
  const changed = numberField(result, 'changedWhileReading') ?? 0;
  if (changed > 0) flaws.push(`${counted(changed, 'file')} changed while being read`);
  const what = [
    counted(figure('databases'), 'database'),
    counted(figure('files'), 'file'),
    formatBytes(figure('totalBytes')),
    `${formatBytes(figure('addedBytes'))} added`,
    `skew ${formatDuration(numberField(result, 'skewMs') ?? 0)}`,
    ...flaws,
  ];
  const summary = `Snapshot ${id} of ${textField(result, 'sourceId') ?? '?'}: ${what.join(', ')}`;
  return [summary, ...listField(result, 'plugins').map(renderPlugin)].map(printable).join('\n');
}

function renderPlugin(plugin: LooseDocument): string {
  const outcome =
    plugin['ok'] === true
      ? counted(numberField(plugin, 'files') ?? 0, 'file')
      : `FAILED (${textField(plugin, 'reason') ?? 'unknown'})`;
  return `Plugin ${textField(plugin, 'name') ?? '?'}: ${outcome}`;
}

const ENTRY_COLUMNS: readonly Column<LooseDocument>[] = [
  { title: 'ACTION', cell: (entry) => textField(entry, 'action') ?? '' },
  {
    title: 'SIZE',
    align: 'right',
    cell: (entry) => formatBytes(numberField(entry, 'bytes') ?? 0),
  },
  { title: 'PATH', cell: (entry) => textField(entry, 'logicalPath') ?? '' },
  { title: 'TARGET', cell: (entry) => textField(entry, 'target') ?? '' },
  { title: 'REASON', cell: (entry) => textField(entry, 'reason') ?? '' },
];

function renderRestore(result: LooseDocument, color: boolean): string {
  const id = (textField(result, 'snapshotId') ?? '').slice(0, 8);
  const isDryRun = result['dryRun'] === true;
  const totals = documentField(result, 'totals') ?? result;
  const figure = (name: string): number => numberField(totals, name) ?? 0;
  const names = ['created', 'overwritten', 'unchanged', 'skipped'];
  if (figure('deleted') > 0) names.push('deleted');
  const parts = names.map((name) => `${figure(name)} ${name}`);
  parts.push(formatBytes(figure(isDryRun ? 'bytesPlanned' : 'bytesWritten')));
  const lines = isDryRun ? [renderTable(ENTRY_COLUMNS, listField(result, 'entries'), color)] : [];
  const omitted = figure('entriesOmitted');
  if (isDryRun && omitted > 0) lines.push(`and ${counted(omitted, 'entry', 'entries')} more`);
  lines.push(`${isDryRun ? 'Would restore' : 'Restored'} snapshot ${id}: ${parts.join(', ')}`);
  const planId = textField(result, 'planId');
  if (isDryRun && planId !== null)
    lines.push(`Carry it out just so: holdfast restore --plan ${planId}`);
  lines.push(...renderRestoredVersions(result));
  const quarantine = textField(result, 'quarantineId');
  if (quarantine !== null) lines.push(`What was replaced is in quarantine: ${quarantine}`);
  const before = textField(result, 'preRestoreSnapshotId');
  if (before !== null) lines.push(`Snapshot of what was there before: ${before.slice(0, 8)}`);
  return lines.join('\n');
}

function renderInit(result: Readonly<Record<string, unknown>>): string {
  const what = result['encrypted'] === true ? 'an encrypted repository' : 'a repository';
  const there = `There is ${what} in ${printable(textField(result, 'path') ?? '')}`;
  const keyFile = textField(result, 'keyFileMade');
  if (keyFile === null) return there;
  return `${there}\nIts key was made: ${printable(keyFile)}. Name it in the configuration (repositoryKey.keyFile), and keep a copy elsewhere.`;
}

function renderKey(result: Readonly<Record<string, unknown>>): string {
  const slot = (name: string): string => {
    const { id } = (result[name] ?? {}) as { id?: unknown };
    return typeof id === 'string' ? printable(id) : '';
  };
  if (slot('removed') !== '' && slot('added') !== '') {
    return `The repository opens with key ${slot('added')}, and no longer with key ${slot('removed')}.`;
  }
  return slot('removed') === ''
    ? `The repository opens with key ${slot('added')}.`
    : `The repository no longer opens with key ${slot('removed')}.`;
}
