import type { Command } from 'commander';
import type { CommandRun } from '../context.ts';
import type { GlobalOptions } from '../global-options.ts';

/** Hands a parsed command on: its code is loaded only now, so that each start pays for one command alone. */
export type Perform = <Options extends GlobalOptions>(
  load: () => Promise<CommandRun<Options>>,
) => (this: Command) => Promise<void>;
