import { systemCode } from '../kernel/errors.ts';
import { isBusyCode } from './database-check.ts';
import type { PinConnection } from './pin-connection.ts';

/** Between two bursts of attempts. */
export const RETRY_DELAY_MS = 2;
const BURST_ATTEMPTS = 500;
const BURSTS_UNTIL_MS = 2_000;

/**
 * How often to try in a row. Where commits follow each other without a pause, a rollback database can be entered for
 * a fraction of a millisecond between two of them only: a burst of a few milliseconds catches that, a timer does not.
 * Whoever has been waiting for long waits for something else, and need not hurry.
 */
export function attemptsAfter(waitedMs: number): number {
  return waitedMs < BURSTS_UNTIL_MS ? BURST_ATTEMPTS : 1;
}

/**
 * Pins it where it is not pinned yet. @returns false while somebody has it locked or commits each time
 * @throws what SQLite throws for other reasons
 */
export function tryToPin(connection: PinConnection, attempts: number): boolean {
  for (let attempt = 0; attempt < attempts && connection.state === null; attempt++) {
    try {
      connection.pin();
    } catch (error) {
      if (!isBusyCode(systemCode(error))) throw error;
    }
  }
  return connection.state !== null;
}
