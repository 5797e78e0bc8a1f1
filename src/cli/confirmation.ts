import { cannot } from '../kernel/errors.ts';
import type { CommandContext } from './context.ts';
import type { GlobalOptions } from './global-options.ts';

export interface Confirmation {
  /** What will be done: `replace files in place`. */
  readonly verb: string;
  /** To what. */
  readonly thing: string;
  readonly question: string;
}

/**
 * Returns once the operator agreed: by --yes, or by answering.
 * @throws CONFIRMATION_REQUIRED where nobody can answer; CANCELLED when the answer is not yes
 */
export async function requireConfirmation(
  { terminal, signal }: CommandContext,
  options: GlobalOptions & { readonly yes?: boolean },
  { verb, thing, question }: Confirmation,
): Promise<void> {
  if (options.yes === true) return;
  if (!terminal.interactive || options.json === true) {
    throw cannot('CONFIRMATION_REQUIRED', verb, thing, 'nobody is there to confirm it', {
      hint: 'Add --yes to go ahead without a question.',
    });
  }
  const answer = await terminal.ask(`${question} [y/N] `, signal);
  if (!/^y(es)?$/i.test(answer)) throw cannot('CANCELLED', verb, thing, 'it was not confirmed');
}
