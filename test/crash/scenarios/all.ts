import type { Scenario } from '../scenario.ts';
import { backups } from './backups.ts';
import { daemons } from './daemons.ts';
import { databases, recoveries } from './databases.ts';
import { outputs } from './outputs.ts';
import { removals } from './removals.ts';
import { repositories } from './repositories.ts';
import { restores } from './restores.ts';

/** Everything that Holdfast does to files, one scenario each. */
export const scenarios: readonly Scenario[] = [
  ...backups,
  ...repositories,
  ...removals,
  ...restores,
  ...databases,
  ...recoveries,
  ...outputs,
  ...daemons,
];
