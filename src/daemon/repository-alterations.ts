import type { StatusWarning } from '../protocol/method-map.ts';
import type { AlertSighting } from '../state/alert-records.ts';
import type { HeadFinding } from '../store/repository.ts';

/** What somebody without the key did to an encrypted repository, as alerts and warnings. */

export const ALTERATION_KINDS: ReadonlySet<string> = new Set(['REPOSITORY_ALTERED']);

const HINT =
  'holdfast check says more. Compare with a copy, or take it for right: holdfast repository accept';

/** One for each kind of deed, by its first example: thousands of snapshots may be gone at once. */
function byDeed(findings: readonly HeadFinding[]): Map<string, readonly HeadFinding[]> {
  const deeds = new Map<string, readonly HeadFinding[]>();
  for (const finding of findings) {
    deeds.set(finding.code, [...(deeds.get(finding.code) ?? []), finding]);
  }
  return deeds;
}

function describe([first, ...others]: readonly HeadFinding[]): string {
  return others.length === 0 ? first!.message : `${first!.message} (and ${others.length} more)`;
}

export const alterationAlerts = (findings: readonly HeadFinding[]): AlertSighting[] =>
  [...byDeed(findings)].map(([subject, found]) => ({
    kind: 'REPOSITORY_ALTERED',
    sourceId: null,
    subject,
    severity: found.some(({ severity }) => severity === 'error') ? 'critical' : 'warning',
    message: `${describe(found)}. ${HINT}`,
    jobId: null,
  }));

export const alterationWarnings = (findings: readonly HeadFinding[]): StatusWarning[] =>
  [...byDeed(findings).values()].map((found) => ({
    code: 'REPOSITORY_ALTERED',
    message: `${describe(found)}. ${HINT}`,
    sourceId: null,
  }));
