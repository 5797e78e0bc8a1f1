import { cannot, messageOf } from '../kernel/errors.ts';
import { splitStatements } from './split-statements.ts';
import type { Step } from './step.ts';

/**
 * What `user_version` is after each step: what its up file sets it to, or else how many steps there are up to it.
 * One way for all of them, since the two cannot be told apart in a database.
 */
export function numberSteps(steps: readonly Omit<Step, 'number'>[]): Step[] {
  const written = steps.map(writtenNumber);
  const silent = written.indexOf(null);
  if (written.every((number) => number === null)) {
    return steps.map((step, index) => ({ ...step, number: index + 1 }));
  }
  if (silent !== -1) {
    throw refuse(steps[silent]!, 'it sets no user_version, and other steps do');
  }
  return steps.map((step, index) => {
    const number = written[index]!;
    if (number <= (written[index - 1] ?? 0)) {
      throw refuse(step, `it sets user_version to ${number}, no more than the step before`);
    }
    return { ...step, number };
  });
}

const refuse = ({ version, name }: Omit<Step, 'number'>, state: string): Error =>
  cannot('CONFIG_INVALID', 'use migration', `${version}_${name}`, state, {
    hint: 'Either every step sets PRAGMA user_version, to ever larger numbers, or none does.',
  });

const SETS = /^PRAGMA\s+(?:main\s*\.\s*)?user_version\s*(?:=\s*(\d+)|\(\s*(\d+)\s*\))\s*$/i;
const EXPORTED = /^\s*export\s+const\s+userVersion\s*=\s*(\d+)\s*;?\s*$/m;

function writtenNumber(step: Omit<Step, 'number'>): number | null {
  const { kind, text } = step.up;
  if (kind === 'module') {
    const match = EXPORTED.exec(text);
    return match === null ? null : Number(match[1]);
  }
  return /user_version/i.test(text) ? numberInScript(step) : null;
}

function numberInScript(step: Omit<Step, 'number'>): number | null {
  let number: number | null = null;
  try {
    for (const { sql } of splitStatements(step.up.text)) {
      const match = SETS.exec(sql);
      if (match !== null) number = Number(match[1] ?? match[2]);
    }
  } catch (error) {
    throw refuse(step, messageOf(error));
  }
  return number;
}
