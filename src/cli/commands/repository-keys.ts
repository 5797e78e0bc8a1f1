import { resolve } from 'node:path';
import { cannot } from '../../kernel/errors.ts';
import type { MethodResult } from '../../protocol/method-map.ts';
import { requireConfirmation } from '../confirmation.ts';
import type { CommandRun } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { formatTime } from '../output/format-time.ts';
import { printable } from '../output/printable.ts';
import type { Column } from '../output/table.ts';
import { printList } from '../report.ts';
import { runJob } from '../run-job.ts';
import { askOrRead } from './snapshots.ts';

const COLUMNS: readonly Column<MethodResult<'repository.keys'>['items'][number]>[] = [
  { title: 'ID', cell: ({ id }) => id },
  { title: 'KIND', cell: ({ kind }) => (kind === 'keyFile' ? 'key file' : 'passphrase') },
  { title: 'SINCE', cell: ({ createdAt }) => formatTime(createdAt) },
];

/** `holdfast repository keys` */
export const list: CommandRun<GlobalOptions> = async (context, _args, options) => {
  const keys = await askOrRead(context, options, 'repository.keys', {});
  for (const file of keys.unreadable) {
    context.terminal.note(`warning: keys/${printable(file)} is no key of this repository`);
  }
  printList(context, options, keys, COLUMNS, 'The repository is not encrypted.');
  return EXIT.ok;
};

export interface AddOptions extends GlobalOptions {
  readonly newKeyFile?: string;
  readonly newPassphraseFile?: string;
}

/** `holdfast repository key add --new-key-file FILE | --new-passphrase-file FILE` */
export const add: CommandRun<AddOptions> = (context, _args, options) => {
  const file = newKeyOf(options);
  return runJob(context, options, {
    method: 'repository.addKey',
    params: file,
    offline: { kind: 'key', params: { action: 'add', ...file } },
  });
};

/** @throws INVALID_PARAMS unless there is exactly one */
export function newKeyOf({ newKeyFile, newPassphraseFile }: AddOptions) {
  if ((newKeyFile === undefined) === (newPassphraseFile === undefined)) {
    throw cannot('INVALID_PARAMS', 'use', 'key', 'it is not said which one', {
      hint: 'Give either --new-key-file FILE or --new-passphrase-file FILE.',
    });
  }
  return newKeyFile === undefined
    ? ({ kind: 'passphrase', path: resolve(newPassphraseFile!) } as const)
    : ({ kind: 'keyFile', path: resolve(newKeyFile) } as const);
}

/** `holdfast repository copy --to DIR --new-key-file FILE | --new-passphrase-file FILE` */
export const copy: CommandRun<AddOptions & { readonly to: string }> = (context, _args, options) => {
  const { kind, path: keyPath } = newKeyOf(options);
  const params = { to: resolve(options.to), kind, keyPath };
  return runJob(context, options, {
    method: 'repository.copy',
    params,
    offline: { kind: 'copy', params },
  });
};

/** `holdfast repository key rotate [ID] --new-key-file FILE | --new-passphrase-file FILE [--yes]` */
export const rotate: CommandRun<AddOptions & { readonly yes?: boolean }> = async (
  context,
  [keyId],
  options,
) => {
  const params = { ...newKeyOf(options), ...(keyId === undefined ? {} : { keyId }) };
  const which = keyId ?? 'that is configured';
  await requireConfirmation(context, options, {
    verb: 'rotate key',
    thing: which,
    question: `Let ${params.path} open the repository in the place of the key ${which}?`,
  });
  return runJob(context, options, {
    method: 'repository.rotateKey',
    params,
    offline: { kind: 'key', params: { action: 'rotate', ...params } },
  });
};

/** `holdfast repository key remove ID [--yes]` */
export const remove: CommandRun<GlobalOptions & { readonly yes?: boolean }> = async (
  context,
  [keyId],
  options,
) => {
  await requireConfirmation(context, options, {
    verb: 'remove key',
    thing: keyId!,
    question: `Let key ${keyId} no longer open the repository?`,
  });
  return runJob(context, options, {
    method: 'repository.removeKey',
    params: { keyId: keyId! },
    offline: { kind: 'key', params: { action: 'remove', keyId: keyId! } },
  });
};
