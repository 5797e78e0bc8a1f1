import { requireConfirmation } from '../confirmation.ts';
import type { CommandRun } from '../context.ts';
import type { GlobalOptions } from '../global-options.ts';
import { runJob } from '../run-job.ts';
import { type AddOptions, newKeyOf } from './repository-keys.ts';

interface ConversionOptions extends AddOptions {
  readonly dryRun?: boolean;
  readonly discard?: boolean;
  readonly yes?: boolean;
}

const convert =
  (verb: string, question: string): CommandRun<ConversionOptions> =>
  async (context, _args, options) => {
    const dryRun = options.dryRun === true;
    const discard = options.discard === true;
    if (!dryRun && !discard) {
      await requireConfirmation(context, options, { verb, thing: 'repository', question });
    }
    const { newKeyFile, newPassphraseFile } = options;
    const isNamed = newKeyFile !== undefined || newPassphraseFile !== undefined;
    const { kind, path: keyPath } = isNamed ? newKeyOf(options) : { kind: undefined, path: '' };
    const params = kind === undefined ? { dryRun, discard } : { dryRun, discard, kind, keyPath };
    return runJob(context, options, {
      method: 'repository.convert',
      params,
      offline: { kind: 'convert', params },
    });
  };

/** `holdfast repository encrypt [--new-key-file FILE | --new-passphrase-file FILE] [--dry-run | --discard] [--yes]` */
export const encrypt = convert(
  'encrypt',
  'Encrypt the whole repository, and remove what is not encrypted?',
);

/** `holdfast repository rekey [--new-key-file FILE | --new-passphrase-file FILE] [--dry-run | --discard] [--yes]` */
export const rekey = convert(
  'rekey',
  'Seal the whole repository anew, and remove what the old master key opens?',
);

/** `holdfast repository accept [--yes]` */
export const accept: CommandRun<GlobalOptions & { readonly yes?: boolean }> = async (
  context,
  _args,
  options,
) => {
  await requireConfirmation(context, options, {
    verb: 'accept',
    thing: 'repository',
    question: 'Take the repository as it stands for right? "holdfast check" says what was changed.',
  });
  return runJob(context, options, {
    method: 'repository.accept',
    params: {},
    offline: { kind: 'accept', params: {} },
  });
};
