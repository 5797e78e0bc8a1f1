import { cannot } from '../../kernel/errors.ts';
import { requireConfirmation } from '../confirmation.ts';
import type { CommandRun } from '../context.ts';
import type { GlobalOptions } from '../global-options.ts';
import { runJob } from '../run-job.ts';

interface TagOptions extends GlobalOptions {
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
}

interface ResealOptions extends GlobalOptions {
  readonly iKnow?: boolean;
  readonly yes?: boolean;
}

const given = (args: readonly (string | undefined)[]): string[] => args.flatMap((arg) => arg ?? []);

/** `holdfast tag ID… --add TAG --remove TAG` */
export const tag: CommandRun<TagOptions> = async (context, args, options) => {
  const { add = [], remove = [] } = options;
  const ids = given(args);
  if (add.length + remove.length === 0) {
    throw cannot('INVALID_PARAMS', 'tag', ids[0] ?? '', 'no tag was given', {
      hint: 'Give --add TAG or --remove TAG.',
    });
  }
  return runJob(context, options, {
    method: 'snapshot.tag',
    params: { ids, add, remove },
    offline: {
      kind: 'annotate',
      params: { snapshotIds: ids, addTags: add, removeTags: remove },
    },
  });
};

const pinning =
  (method: 'snapshot.pin' | 'snapshot.unpin', pinned: boolean): CommandRun<GlobalOptions> =>
  async (context, args, options) => {
    const ids = given(args);
    return runJob(context, options, {
      method,
      params: { ids },
      offline: { kind: 'annotate', params: { snapshotIds: ids, pinned } },
    });
  };

/** `holdfast pin ID…` */
export const pin = pinning('snapshot.pin', true);

/** `holdfast unpin ID…` */
export const unpin = pinning('snapshot.unpin', false);

/** `holdfast reseal ID --i-know` */
export const reseal: CommandRun<ResealOptions> = async (context, [id], options) => {
  if (options.iKnow !== true) {
    throw cannot('INVALID_PARAMS', 'reseal snapshot', id!, 'it was not said that you know', {
      hint: 'A resealed snapshot never serves automatic recovery again. Give --i-know if you want that.',
    });
  }
  await requireConfirmation(context, options, {
    verb: 'reseal snapshot',
    thing: id!,
    question: `Verify snapshot ${id} deeply and, if it passes, replace its notes?`,
  });
  return runJob(context, options, {
    method: 'snapshot.reseal',
    params: { id: id!, iKnow: true },
    offline: { kind: 'reseal', params: { snapshotId: id! } },
  });
};
