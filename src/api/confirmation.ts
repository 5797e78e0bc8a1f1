import { cannot } from '../kernel/errors.ts';
import type { ApiContext } from './context.ts';

/**
 * Whoever replaces the files of a source says which one: a wrong one is then no accident.
 * @throws CONFIRMATION_REQUIRED
 */
export function requireConfirmed(
  confirm: string | undefined,
  source: { readonly id: string; readonly name: string },
  verb: string,
  { settings }: Pick<ApiContext, 'settings'>,
): void {
  const now = settings.sources.find(({ id }) => id === source.id);
  const names = [source.id, source.name, now?.name];
  if (confirm !== undefined && names.includes(confirm)) return;
  const state = confirm === undefined ? 'it is not confirmed' : `"${confirm}" was confirmed`;
  throw cannot('CONFIRMATION_REQUIRED', verb, now?.name ?? source.name, state, {
    hint: `Say which source is meant: confirm: "${now?.name ?? source.name}".`,
  });
}
