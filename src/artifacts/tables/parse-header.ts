import type { TextEncoding } from '../../sqlite/header.ts';
import { INTEGER_MAX } from './cell-value.ts';
import { RowProblem } from './row-problem.ts';
import {
  HEADER_VERSION,
  type HeaderColumn,
  type TableFooter,
  type TableHeader,
} from './table-header.ts';

/** Headers and footers as they come from outside: nothing of them is believed before it was looked at. */

const HEADER_CHARACTERS_MAX = 4 * 1024 * 1024;
const COLUMNS_MAX = 2_001;
const INDEXES_MAX = 10_000;
const ENCODINGS: readonly string[] = ['UTF-8', 'UTF-16le', 'UTF-16be'];
const SEQUENCE = /^(?:0|[1-9][0-9]{0,18})$/;
const SHA256 = /^[0-9a-f]{64}$/;

type Members = Readonly<Record<string, unknown>>;

const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const own = (members: Members, name: string): unknown =>
  Object.hasOwn(members, name) ? members[name] : undefined;

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

function parsed(text: string): Members | null {
  try {
    const value: unknown = JSON.parse(text);
    return isMembers(value) ? value : null;
  } catch {
    return null;
  }
}

function columnOf(value: unknown): HeaderColumn {
  if (!isMembers(value)) throw new RowProblem('its header has a column that is no object');
  const name = own(value, 'name');
  if (typeof name !== 'string') throw new RowProblem('its header has a column without a name');
  const declType = own(value, 'declType');
  const pk = own(value, 'pk');
  return {
    name,
    declType: typeof declType === 'string' ? declType : '',
    pk: isCount(pk) ? pk : 0,
    notnull: own(value, 'notnull') === true,
    generated: own(value, 'generated') === true,
    ...(own(value, 'rowid') === true ? { rowid: true } : {}),
  };
}

function columnsOf(values: readonly unknown[]): HeaderColumn[] {
  if (values.length > COLUMNS_MAX) throw new RowProblem('its header has too many columns');
  const columns = values.map(columnOf);
  const names = new Set(columns.map(({ name, rowid }) => `${rowid === true}${name}`));
  if (names.size < columns.length) throw new RowProblem('its header names a column twice');
  return columns;
}

function textOrNull(members: Members, name: string): string | null {
  const value = own(members, name) ?? null;
  if (value !== null && typeof value !== 'string') {
    throw new RowProblem(`its header has a "${name}" that is no text`);
  }
  return value;
}

function indexesOf(members: Members): string[] {
  const value = own(members, '$indexes') ?? [];
  const isList = Array.isArray(value) && value.length <= INDEXES_MAX;
  if (!isList || !value.every((each) => typeof each === 'string')) {
    throw new RowProblem('its header has "$indexes" that are no list of definitions');
  }
  return value;
}

function encodingOf(members: Members): TextEncoding {
  const value = own(members, '$encoding') ?? 'UTF-8';
  if (!ENCODINGS.includes(value as string)) {
    throw new RowProblem('its header has an "$encoding" that SQLite does not know');
  }
  return value as TextEncoding;
}

function numberOf(members: Members, name: string): number {
  const value = own(members, name) ?? 0;
  if (typeof value !== 'number' || (value | 0) !== value) {
    throw new RowProblem(`its header has a "${name}" that is no 32-bit integer`);
  }
  return value;
}

/** @returns null when the line is no header. No row can look like one: the values of a row are never arrays. */
export function parseHeader(text: string): TableHeader | null {
  if (!text.startsWith('{') || !text.includes('"$columns"')) return null;
  if (text.length > HEADER_CHARACTERS_MAX) return null;
  const members = parsed(text);
  if (members === null) return null;
  const table = own(members, '$table');
  const columns = own(members, '$columns');
  if (typeof table !== 'string' || !Array.isArray(columns)) return null;
  if (own(members, '$version') !== HEADER_VERSION) {
    throw new RowProblem(`its header is of a version other than ${HEADER_VERSION}`);
  }
  const sequence = textOrNull(members, '$sequence');
  if (sequence !== null && !(SEQUENCE.test(sequence) && BigInt(sequence) <= INTEGER_MAX)) {
    throw new RowProblem('its header has a "$sequence" that is no integer');
  }
  return {
    $table: table,
    $columns: columnsOf(columns),
    $db: textOrNull(members, '$db'),
    $snapshotTxn: textOrNull(members, '$snapshotTxn'),
    $version: HEADER_VERSION,
    $sql: textOrNull(members, '$sql'),
    $indexes: indexesOf(members),
    $sequence: sequence,
    $encoding: encodingOf(members),
    $userVersion: numberOf(members, '$userVersion'),
    $applicationId: numberOf(members, '$applicationId'),
  };
}

/** @returns null when the line is no footer: it has `$rows`, and beside it at most `$sha256` */
export function parseFooter(text: string): TableFooter | null {
  if (!text.startsWith('{"$rows"') || text.length > 200) return null;
  const members = parsed(text);
  if (members === null || Object.keys(members).some((key) => !/^\$(rows|sha256)$/.test(key))) {
    return null;
  }
  const rows = own(members, '$rows');
  const sha256 = own(members, '$sha256') ?? null;
  const isHash = typeof sha256 === 'string' && SHA256.test(sha256);
  if (!isCount(rows) || (sha256 !== null && !isHash)) {
    throw new RowProblem('its footer has no count, or a checksum that is none');
  }
  return { $rows: rows, $sha256: sha256 as string | null };
}
