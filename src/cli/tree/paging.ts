import type { Command } from 'commander';
import { wholeNumber } from '../option-parsers.ts';

const ITEMS_DEFAULT = 100;
/** The daemon gives out no longer pages. */
const ITEMS_MAX = 1000;

/** The options of every list. */
export function addPaging(command: Command): Command {
  return command
    .option('-n, --limit <number>', 'at most this many', wholeNumber(1, ITEMS_MAX), ITEMS_DEFAULT)
    .option('--cursor <cursor>', 'go on after an earlier list');
}
