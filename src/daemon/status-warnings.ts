import type { Settings } from '../config/settings.ts';
import type { StatusWarning } from '../protocol/method-map.ts';
import type { StateDatabase } from '../state/state-database.ts';
import type { SourceStates } from './source-states.ts';

/** What of a stepped-back database is wrong, for every message about it. */
export const steppedBackText = (path: string): string =>
  `${path} is older than its snapshots, or gone`;

/** What a person should know that no figure of `status` says. */
export function statusWarnings(
  settings: Settings,
  sources: SourceStates,
  state: StateDatabase,
): StatusWarning[] {
  const ofSources = settings.sources.flatMap(({ id, name }) => [
    ...sources.steppedBack(id).map(({ path }) => ({
      code: 'HELD_BACK',
      message: `No snapshots of ${name} are taken automatically, since ${steppedBackText(path)}. Restore it, or accept it as it is now: holdfast backup ${name}`,
      sourceId: id,
    })),
    ...(sources.facts(id).needsOperator
      ? [
          {
            code: 'NEEDS_OPERATOR',
            message: `A database of ${name} waits for a person: holdfast source show ${name}`,
            sourceId: id,
          },
        ]
      : []),
  ]);
  if (state.rebuiltFrom === null) return ofSources;
  const message = `state.db was damaged and begun anew; the damaged one is kept: ${state.rebuiltFrom}`;
  return [...ofSources, { code: 'STATE_REBUILT', message, sourceId: null }];
}
