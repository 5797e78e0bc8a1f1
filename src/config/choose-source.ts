import { cannot } from '../kernel/errors.ts';
import type { Settings, SourceSettings } from './settings.ts';

/** The only source there is. @throws INVALID_PARAMS when several could be meant */
export function onlySource({ sources }: Pick<Settings, 'sources'>): SourceSettings {
  const [only, ...others] = sources;
  if (only !== undefined && others.length === 0) return only;
  throw cannot('INVALID_PARAMS', 'choose a source', '', `${sources.length} are configured`, {
    hint: 'Name one of them.',
  });
}
