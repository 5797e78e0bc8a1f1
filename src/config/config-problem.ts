import { cannot, type HoldfastError } from '../kernel/errors.ts';

/** One thing that is wrong with a configuration, and where. */
export interface ConfigProblem {
  /** Keys and indexes from the top of the document. */
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** Counted from 1; null where the value does not come from the file. */
  readonly line: number | null;
  readonly column: number | null;
  /** A cron expression that does not parse has an error code of its own. */
  readonly isCron: boolean;
}

/** More than these are counted, not listed. */
export const PROBLEMS_MAX = 50;

/** `sources[0].watch.quietMs` */
export function showPath(path: readonly (string | number)[]): string {
  return path.reduce<string>(
    (shown, part) =>
      typeof part === 'number' ? `${shown}[${part}]` : shown === '' ? part : `${shown}.${part}`,
    '',
  );
}

export function showProblem({ path, message, line }: ConfigProblem): string {
  const place = [line === null ? '' : `line ${line}`, showPath(path)].filter((part) => part !== '');
  return place.length === 0 ? message : `${place.join(', ')}: ${message}`;
}

/**
 * All problems of one configuration as one error: INVALID_CRON if nothing but cron expressions is wrong,
 * else CONFIG_INVALID. `details.problems` lists `{path, message, line}`.
 */
export function configError(origin: string, problems: readonly ConfigProblem[]): HoldfastError {
  const code = problems.every(({ isCron }) => isCron) ? 'INVALID_CRON' : 'CONFIG_INVALID';
  const listed = problems.slice(0, PROBLEMS_MAX);
  const more = problems.length - listed.length;
  const lines = listed.map(showProblem);
  if (more > 0) lines.push(`and ${more} more`);
  const state =
    lines.length === 1 ? lines[0]! : `${lines.length} problems\n  ${lines.join('\n  ')}`;
  return cannot(code, 'use configuration', origin, state, {
    hint: 'Correct these and start again; nothing was changed.',
    details: {
      problems: listed.map(({ path, message, line }) => ({ path: showPath(path), message, line })),
    },
  });
}
