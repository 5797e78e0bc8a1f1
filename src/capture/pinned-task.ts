import type { DatabaseTask } from './database-task.ts';
import type { LogPatience } from './log-patience.ts';

/** A database that is pinned, beside others. */
export interface PinnedTask extends DatabaseTask {
  readonly patience: LogPatience;
}
