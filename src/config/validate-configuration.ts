import type { z } from 'zod';
import type { ConfigDocument } from './config-file.ts';
import { type ConfigProblem, PROBLEMS_MAX, showPath } from './config-problem.ts';
import { nearestName } from './nearest-name.ts';
import { CRON_PROBLEM } from './option-values.ts';
import { keepOptions, retentionOptions } from './options/retention-options.ts';
import { scheduleOptions } from './options/schedule-options.ts';
import { type Configuration, configurationSchema, optionGroups } from './options.ts';

/** Makes problems out of what the schema says, with lines and suggestions. */

type Path = readonly (string | number)[];

export class ProblemList {
  readonly problems: ConfigProblem[] = [];
  readonly #locate: ConfigDocument['locate'];
  readonly #origins: ReadonlyMap<string, string>;

  /** @param origins top-level keys that a flag or a variable set, and its name: they have no line */
  constructor(locate: ConfigDocument['locate'], origins: ReadonlyMap<string, string>) {
    this.#locate = locate;
    this.#origins = origins;
  }

  add(path: Path, message: string, isCron = false): void {
    const origin = this.#origins.get(String(path[0] ?? ''));
    const place = origin === undefined ? this.#locate(path) : null;
    this.problems.push({
      path,
      message: origin === undefined ? message : `${message} (from ${origin})`,
      line: place?.line ?? null,
      column: place?.column ?? null,
      isCron,
    });
  }
}

/** The names that may stand at a path; empty where the path is no group of options. */
function knownNames(path: Path): string[] {
  const at = showPath(path).replace(/\[\d+\]/g, '[]');
  if (/(^|\.)retention\.origins\.[a-z]+$/.test(at)) return Object.keys(keepOptions);
  if (at === 'retention') return Object.keys(retentionOptions);
  if (at.endsWith('schedules[].trigger')) {
    return ['type', 'expression', 'timeZone', 'intervalMs'];
  }
  if (at === 'schedules[]') return Object.keys(scheduleOptions);
  return Object.keys(optionGroups.find((group) => group.at === at)?.options ?? {});
}

function messageOfIssue(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') {
    return `expected one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
  }
  if (issue.code === 'invalid_union' && issue.message.startsWith('Invalid discriminator')) {
    return 'expected "cron" or "interval"';
  }
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
    return 'required';
  }
  return issue.message.replace(/^Invalid input: /, '').replace(', received ', ', found ');
}

function addIssue(list: ProblemList, issue: z.core.$ZodIssue): void {
  const path = issue.path.filter((part) => typeof part !== 'symbol');
  if (issue.code === 'unrecognized_keys') {
    const known = knownNames(path);
    for (const key of issue.keys.slice(0, PROBLEMS_MAX)) {
      const nearest = nearestName(key, known);
      const hint =
        nearest === null ? `known are ${known.join(', ')}` : `did you mean "${nearest}"?`;
      list.add([...path, key], `unknown option; ${hint}`);
    }
    return;
  }
  const isCron = issue.code === 'custom' && issue.params?.['problem'] === CRON_PROBLEM;
  list.add(path, messageOfIssue(issue), isCron);
}

/** The document as typed values with defaults filled in, or null after adding all that is wrong to `list`. */
export function validateConfiguration(value: unknown, list: ProblemList): Configuration | null {
  const parsed = configurationSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) addIssue(list, issue);
  return null;
}
