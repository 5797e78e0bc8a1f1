import { shortId } from '../kernel/ids.ts';
import type { CheckLevel } from '../sqlite/database-check.ts';
import type { LedgerEntry } from './check-ledger.ts';

/** Whether a database has to be checked, from what is known without opening it. Pure. */

export interface CheckFacts {
  readonly mode: 'if-needed' | 'force' | 'check-only';
  /** `databaseFingerprint` of the files as they are. */
  readonly fingerprint: string;
  readonly entry: LedgerEntry | null;
  /** The newest snapshot of this database that passed its check. */
  readonly snapshot: { readonly id: string; readonly fingerprint: string } | null;
  readonly shutdownWasClean: boolean;
  readonly bootId: string | null;
}

export type CheckDecision =
  | { readonly check: false; readonly reason: string }
  | { readonly check: true; readonly level: CheckLevel; readonly reason: string };

export function decideCheck(facts: CheckFacts): CheckDecision {
  const { fingerprint, entry, snapshot } = facts;
  if (facts.mode !== 'if-needed') {
    return { check: true, level: 'full', reason: 'asked for' };
  }
  const quick = (reason: string): CheckDecision => ({ check: true, level: 'quick', reason });
  if (snapshot?.fingerprint === fingerprint) {
    return { check: false, reason: `unchanged since snapshot ${shortId(snapshot.id)}` };
  }
  if (entry === null) return quick('never checked');
  if (entry.fingerprint !== fingerprint) return quick('changed since the last check');
  if (entry.state !== 'ok' && entry.state !== 'recovered')
    return quick(`the last check ended ${entry.state}`);
  if (facts.shutdownWasClean) {
    return { check: false, reason: `unchanged since the check of ${entry.at}` };
  }
  // Within one run of the kernel an unclean end of ours loses nothing: what was read is still what was written.
  if (facts.bootId !== null && entry.bootId === facts.bootId) {
    return { check: false, reason: `unchanged since the check of ${entry.at}, in this boot` };
  }
  return quick('the last shutdown was not clean');
}
