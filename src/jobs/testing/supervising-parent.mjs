// A supervisor to be killed: runs the worker named on the command line and prints the messages it sends.
import { systemClock } from '../../kernel/clock.ts';
import { silentLogger } from '../../kernel/logger.ts';
import { runWorker } from '../worker-process.ts';

const [entry, params] = process.argv.slice(2);
runWorker({
  entry,
  start: { type: 'start', jobId: 'job', kind: 'check', params: JSON.parse(params), settings: {} },
  deadlineMs: null,
  memoryBytesMax: null,
  graceMs: 1_000,
  clock: systemClock,
  logger: silentLogger,
  env: process.env,
  onMessage: (message) => process.stdout.write(`${JSON.stringify(message)}\n`),
}).then((outcome) => process.stdout.write(`${JSON.stringify(outcome)}\n`));
