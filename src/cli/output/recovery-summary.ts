import { recoveredDatabases } from '../recovered-databases.ts';
import {
  documentField,
  type LooseDocument,
  listField,
  numberField,
  textField,
} from './document-fields.ts';
import { printable } from './printable.ts';
import type { Tone } from './style.ts';
import { type Cell, type Column, renderTable } from './table.ts';

/** The end of a recovery in words: every database, or with --to the one file that was written. */

const STATE_TONES: Readonly<Record<string, Tone>> = {
  ok: 'good',
  skipped: 'good',
  recovered: 'warning',
  busy: 'warning',
  encrypted: 'warning',
  regressed: 'bad',
  missing: 'bad',
  'needs-operator': 'bad',
};

export const DATABASE_COLUMNS: readonly Column<LooseDocument>[] = [
  {
    title: 'STATE',
    cell: (database) => {
      const state = textField(database, 'state') ?? 'unknown';
      const tone = STATE_TONES[state];
      return tone === undefined ? { text: state } : { text: state, tone };
    },
  },
  { title: 'DATABASE', cell: (database) => textField(database, 'path') ?? '' },
  { title: 'REASON', cell: (database) => textField(database, 'reason') ?? '' },
  { title: 'REPORT', cell: (database) => textField(database, 'reportId') ?? '' },
];

/** What became of a candidate's gates: `ok`, the first that failed, or why it could not be built. */
function gatesCell(candidate: LooseDocument): Cell {
  const failure = textField(candidate, 'failure');
  if (failure !== null) return { text: `not built: ${failure}`, tone: 'bad' };
  const failed = listField(candidate, 'gates').find((gate) => gate['ok'] !== true);
  if (failed === undefined) return { text: 'ok', tone: 'good' };
  const [message] = Array.isArray(failed['messages']) ? failed['messages'] : [];
  return { text: `${textField(failed, 'gate')}: ${String(message ?? 'failed')}`, tone: 'bad' };
}

const scoreColumn = (title: string, name: string): Column<LooseDocument> => ({
  title,
  align: 'right',
  cell: (candidate) => String(numberField(documentField(candidate, 'score') ?? {}, name) ?? '-'),
});

const CANDIDATE_COLUMNS: readonly Column<LooseDocument>[] = [
  { title: 'CANDIDATE', cell: (candidate) => textField(candidate, 'candidate') ?? '' },
  { title: 'ATTEMPT', cell: (candidate) => textField(candidate, 'attempt') ?? '' },
  scoreColumn('NOT KEPT', 'notKept'),
  scoreColumn('MISSING', 'missing'),
  scoreColumn('RESURRECTED', 'resurrected'),
  { title: 'GATES', cell: gatesCell },
];

function renderCandidates(candidates: readonly LooseDocument[], color: boolean): string[] {
  return candidates.length === 0 ? [] : [renderTable(CANDIDATE_COLUMNS, candidates, color)];
}

function renderCopy(result: LooseDocument, target: string, color: boolean): string {
  const what = result['written'] === true ? 'Written to' : 'Would be written to';
  const how = `${textField(result, 'database') ?? '?'}: ${textField(result, 'reason') ?? ''}`;
  const candidates = result['written'] === true ? [] : listField(result, 'candidates');
  return [
    ...renderCandidates(candidates, color),
    printable(how),
    printable(`${what} ${target}`),
  ].join('\n');
}

export function renderRecovery(result: LooseDocument, color: boolean): string {
  const target = textField(result, 'target');
  if (target !== null) return renderCopy(result, target, color);
  const databases = recoveredDatabases(result);
  if (databases.length === 0) return 'No databases to check.';
  const tried = databases.flatMap((database) => {
    const candidates = renderCandidates(listField(database, 'candidates'), color);
    return candidates.map((table) => `\n${printable(textField(database, 'path') ?? '')}\n${table}`);
  });
  return [renderTable(DATABASE_COLUMNS, databases, color), ...tried].join('\n');
}
