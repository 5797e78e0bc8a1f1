import { compareNames } from '../trees/tree-entry.ts';

/** Canonical JSON (docs/format.md, Objects): equal values have equal bytes. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, sortMembers);
}

function sortMembers(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  const members = value as Record<string, unknown>;
  const names = Object.keys(members);
  if (isSorted(names)) return value;
  const sorted: Record<string, unknown> = {};
  for (const name of names.sort(compareNames)) sorted[name] = members[name];
  return sorted;
}

function isSorted(names: readonly string[]): boolean {
  for (let index = 1; index < names.length; index += 1) {
    if (compareNames(names[index - 1]!, names[index]!) > 0) return false;
  }
  return true;
}
