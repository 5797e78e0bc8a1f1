import type { HeadFinding } from '../head/compare-head.ts';

/** What a check found. `error`: something cannot be restored, or could mislead a writer. */
export interface CheckFinding {
  readonly severity: 'error' | 'warning';
  readonly code: FindingCode;
  readonly message: string;
  /** Inside the repository, or `<short id>:<logical path>` in a snapshot. */
  readonly path?: string;
}

export type FindingCode =
  | 'DESCRIPTOR_DAMAGED'
  | 'PACK_DAMAGED'
  | 'PACK_NOT_INDEXED'
  | 'PACK_MISSING'
  | 'OBJECT_DAMAGED'
  | 'OBJECT_MISSING'
  | 'BASE_MISSING'
  | 'SNAPSHOT_DAMAGED'
  | 'CONTENT_DAMAGED'
  | 'NOTES_DAMAGED'
  | 'NOTES_ORPHANED'
  | 'CATALOG_UNUSABLE'
  | 'CATALOG_DIFFERS'
  | 'KEY_SLOT_DAMAGED'
  | HeadFinding['code']
  | 'FOREIGN_FILE';

const FINDINGS_MAX = 1000;

/** Collects findings, the first FINDINGS_MAX of them in full. */
export class Findings {
  readonly list: CheckFinding[] = [];
  errors = 0;
  warnings = 0;

  error(code: FindingCode, message: string, path?: string): void {
    this.errors += 1;
    this.#add({ severity: 'error', code, message, ...(path === undefined ? {} : { path }) });
  }

  warning(code: FindingCode, message: string, path?: string): void {
    this.warnings += 1;
    this.#add({ severity: 'warning', code, message, ...(path === undefined ? {} : { path }) });
  }

  /** Adds what was found elsewhere, after what is here. */
  addAll({ list, errors, warnings }: Findings): void {
    this.errors += errors;
    this.warnings += warnings;
    for (const finding of list) this.#add(finding);
  }

  #add(finding: CheckFinding): void {
    if (this.list.length < FINDINGS_MAX) this.list.push(finding);
  }
}
