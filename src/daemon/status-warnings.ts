import type { SetAsideChange } from '../config/resolve-changed-settings.ts';
import type { Settings } from '../config/settings.ts';
import type { StatusWarning } from '../protocol/method-map.ts';
import type { StateDatabase } from '../state/state-database.ts';
import type { BootstrapFailure } from './boot-progress.ts';
import type { SourceStates } from './source-states.ts';

/** What of a stepped-back database is wrong, for every message about it. */
export const steppedBackText = (path: string): string =>
  `${path} is older than its snapshots, or gone`;

export const SCHEDULES_PAUSED: StatusWarning = {
  code: 'SCHEDULES_PAUSED',
  message: 'All schedules are paused: holdfast schedule resume',
  sourceId: null,
};

export const bootstrapWarnings = (failures: readonly BootstrapFailure[]): StatusWarning[] =>
  failures.map(({ sourceId, message }) => ({ code: 'BOOTSTRAP_FAILED', message, sourceId }));

/** What a person should know that no figure of `status` says. */
export function statusWarnings(
  settings: Settings,
  sources: SourceStates,
  state: StateDatabase,
  setAside: readonly SetAsideChange[],
): StatusWarning[] {
  const ofSettings = setAside.map(setAsideWarning);
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
  const warnings = [...ofSettings, ...ofSources];
  if (state.rebuiltFrom === null) return warnings;
  const message = `state.db was damaged and begun anew; the damaged one is kept: ${state.rebuiltFrom}`;
  return [...warnings, { code: 'STATE_REBUILT', message, sourceId: null }];
}

function setAsideWarning({ sourceId, reason }: SetAsideChange): StatusWarning {
  const what = sourceId === null ? 'settings' : `source ${sourceId}`;
  const way = sourceId === null ? 'settings reset' : `source reset ${sourceId}`;
  return {
    code: 'CHANGE_SET_ASIDE',
    message: `What was changed of the ${what} does not fit the configuration any more and is not in force; meanwhile no policy removes anything there. Correct the configuration, or drop the change: holdfast ${way}. ${reason}`,
    sourceId,
  };
}
