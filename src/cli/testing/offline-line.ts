import { join } from 'node:path';
import { type LineOptions, type LineResult, runLine } from './run-line.ts';

/** A command line for a state directory of its own, below `directory`, with a scripted worker and no daemon. */
export function runOfflineLine(
  directory: string,
  argv: readonly string[],
  behaviour = 'succeed',
  options: LineOptions = {},
): Promise<LineResult> {
  const environment = {
    HOME: directory,
    PATH: process.env['PATH'],
    HOLDFAST_STATE: join(directory, 'state'),
    HOLDFAST_SOCKET: join(directory, 'none.sock'),
    HOLDFAST_TEST_WORKER: behaviour,
    HOLDFAST_TEST_MARK: join(directory, 'was-locked'),
    ...options.environment,
  };
  return runLine([...argv, '--data', join(directory, 'app')], { ...options, environment });
}
