import { cannot } from '../../kernel/errors.ts';
import type { MethodParams, MethodResult, RetentionItem } from '../../protocol/method-map.ts';
import type { CommandRun } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { counted } from '../output/counted.ts';
import { formatDuration, formatTime } from '../output/format-time.ts';
import { type Column, renderFields } from '../output/table.ts';
import { printDocument, printList } from '../report.ts';
import { askOrRead } from './snapshots.ts';

type Policy = NonNullable<MethodResult<'retention.get'>['policy']>;
type Rules = Pick<Policy, `keep${string}` & keyof Policy> & Pick<Policy, 'maxAgeMs'>;

/** `holdfast retention show [SOURCE]` */
export const show: CommandRun<GlobalOptions> = async (context, [source], options) => {
  const params = source === undefined ? {} : { sourceId: source };
  const document = await askOrRead(context, options, 'retention.get', params);
  printDocument(context, options, document, ({ sourceId, policy }) =>
    policy === null ? `Every snapshot of ${sourceId} stays.` : renderPolicy(sourceId, policy),
  );
  if (options.json !== true) {
    for (const warning of document.warnings) context.terminal.note(`warning: ${warning}`);
  }
  return EXIT.ok;
};

function renderPolicy(sourceId: string, policy: Policy): string {
  const origins = Object.entries(policy.origins).map(
    ([origin, rules]) => [origin, rules === null ? 'all' : renderRules(rules)] as const,
  );
  return renderFields([
    ['source', sourceId],
    ['keeps', renderRules(policy)],
    ...origins,
    ['before restores', policy.preRestore === null ? 'all' : renderRules(policy.preRestore)],
    ['of a bucket', `the ${policy.pick}`],
    ['time zone', policy.timeZone],
    ['at least', `the newest ${policy.minKeep}, and the newest ${policy.minGood} good ones`],
  ]);
}

/** `keepDaily: 7` → `7 daily`. */
function renderRules(rules: Partial<Rules>): string {
  const counts = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'].flatMap((unit) => {
    const name = `keep${unit[0]!.toUpperCase()}${unit.slice(1)}` as 'keepLast';
    const count = rules[name];
    return count ? [`${count === -1 ? 'all' : count} ${unit}`] : [];
  });
  const { keepWithinMs, maxAgeMs } = rules;
  if (keepWithinMs != null) counts.push(`the last ${formatDuration(keepWithinMs)} of snapshots`);
  if (maxAgeMs != null) counts.push(`what is younger than ${formatDuration(maxAgeMs)}`);
  return counts.join(', ');
}

interface PreviewOptions extends GlobalOptions {
  readonly limit: number;
  readonly cursor?: string;
  readonly keepLast?: number;
  readonly keepHourly?: number;
  readonly keepDaily?: number;
  readonly keepWeekly?: number;
  readonly keepMonthly?: number;
  readonly keepYearly?: number;
  readonly keepWithin?: number;
  readonly maxAge?: number;
  readonly minGood?: number;
  readonly pick?: 'newest' | 'oldest';
  readonly timeZone?: string;
  readonly preset?: 'gfs' | 'count' | 'age';
}

const COLUMNS: readonly Column<RetentionItem>[] = [
  { title: 'ID', cell: ({ shortId }) => shortId },
  { title: 'CAPTURED', cell: ({ capturedAt }) => formatTime(capturedAt) },
  { title: 'ORIGIN', cell: ({ origin }) => origin },
  {
    title: 'ACTION',
    cell: ({ action }) => ({ text: action, tone: action === 'keep' ? 'good' : 'warning' }),
  },
  { title: 'REASONS', cell: ({ reasons }) => reasons.join(', ') },
];

/** `holdfast retention preview [SOURCE]` */
export const preview: CommandRun<PreviewOptions> = async (context, [source], options) => {
  const policy = givenPolicy(options);
  const page = await askOrRead(context, options, 'retention.preview', {
    limit: options.limit,
    ...(options.cursor === undefined ? {} : { cursor: options.cursor }),
    ...(source === undefined ? {} : { sourceId: source }),
    ...(policy === undefined ? {} : { policy }),
  });
  if (options.json === true) {
    printDocument(context, options, page, () => '');
    return EXIT.ok;
  }
  printList(context, options, page, COLUMNS, 'No snapshots.');
  const { keepCount, removeCount } = page;
  context.terminal.note(
    page.policy === null
      ? `There is no policy: ${counted(keepCount, 'snapshot')}, all of which stay.`
      : `${counted(keepCount, 'snapshot')} would stay, ${removeCount} go.`,
  );
  return EXIT.ok;
};

/** Undefined: that of the source. @throws INVALID_PARAMS for a preset and rules beside it */
function givenPolicy(options: PreviewOptions): MethodParams<'retention.preview'>['policy'] {
  const { keepWithin, maxAge, preset } = options;
  const { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly } = options;
  const { pick, timeZone, minGood } = options;
  const counts = { keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly };
  const all = { ...counts, keepWithinMs: keepWithin, maxAgeMs: maxAge, minGood, pick, timeZone };
  const given = Object.entries(all).filter(([, value]) => value !== undefined);
  if (preset === undefined) return given.length === 0 ? undefined : Object.fromEntries(given);
  if (given.length === 0) return preset;
  throw cannot('INVALID_PARAMS', 'preview', preset, 'other rules are given beside it', {
    hint: 'Give either --preset, or rules.',
  });
}
