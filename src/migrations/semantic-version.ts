import { SEMANTIC_VERSION } from '../config/options/migration-options.ts';

/** Versions by semver.org 2.0.0. */

/** Of a database that no step has touched. */
export const NO_VERSION = '0.0.0';

const parsed = new Map<string, readonly (readonly string[])[]>();

export const isSemanticVersion = (text: string): boolean => SEMANTIC_VERSION.test(text);

/** Core numbers and pre-release identifiers; what was built makes no difference to the order. */
function partsOf(version: string): readonly (readonly string[])[] {
  const known = parsed.get(version);
  if (known !== undefined) return known;
  const match = SEMANTIC_VERSION.exec(version);
  if (match === null) throw new RangeError(`"${version}" is no semantic version`);
  const parts = [match.slice(1, 4) as string[], match[4]?.split('.') ?? []];
  if (parsed.size > 10_000) parsed.clear();
  parsed.set(version, parts);
  return parts;
}

const NUMBER = /^\d+$/;

/** Without leading zeros the longer number is the larger one, whatever its length. */
function compareNumbers(left: string, right: string): number {
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : left > right ? 1 : 0;
}

function compareIdentifiers(left: string, right: string): number {
  const isNumber = [NUMBER.test(left), NUMBER.test(right)] as const;
  if (isNumber[0] && isNumber[1]) return compareNumbers(left, right);
  if (isNumber[0] !== isNumber[1]) return isNumber[0] ? -1 : 1;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Negative where `left` comes first, 0 where neither does. @throws RangeError for what is no semantic version */
export function compareVersions(left: string, right: string): number {
  const [leftCore = [], leftPre = []] = partsOf(left);
  const [rightCore = [], rightPre = []] = partsOf(right);
  for (const [index, number] of leftCore.entries()) {
    const order = compareNumbers(number, rightCore[index]!);
    if (order !== 0) return order;
  }
  if (leftPre.length === 0 || rightPre.length === 0) return rightPre.length - leftPre.length;
  for (const [index, identifier] of leftPre.entries()) {
    const other = rightPre[index];
    if (other === undefined) return 1;
    const order = compareIdentifiers(identifier, other);
    if (order !== 0) return order;
  }
  return leftPre.length - rightPre.length;
}
