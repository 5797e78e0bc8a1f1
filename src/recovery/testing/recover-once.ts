import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  armKillSwitch,
  KILL_AT_STEP_VARIABLE,
  observeDurableSteps,
} from '../../files/durable-steps.ts';
import { cleanLeftoverStaging } from '../../files/staging.ts';
import { resumeSwaps } from '../../files/swap/swap.ts';
import { quietActivity } from '../../kernel/activity.ts';
import { systemClock } from '../../kernel/clock.ts';
import { openReader } from '../../store/repository.ts';
import { recoverSource } from '../recover-source.ts';

/** Run as a process: `recover-once <source as JSON> <state> <repository>`. Prints the number of durable steps. */
async function main(source: string, stateDirectory: string, repository: string): Promise<void> {
  let steps = 0;
  observeDurableSteps((_step, _path, moment) => {
    if (moment === 'before') steps += 1;
  });
  const specification = process.env[KILL_AT_STEP_VARIABLE];
  if (specification !== undefined) armKillSwitch(specification);
  await resumeSwaps(stateDirectory, systemClock, quietActivity());
  await cleanLeftoverStaging(stateDirectory);
  const scratchDirectory = join(stateDirectory, 'scratch');
  // As the operation around it does: what a killed run left in scratch is nobody's.
  await rm(scratchDirectory, { recursive: true, force: true });
  await recoverSource(
    {
      source: JSON.parse(source),
      stateDirectory,
      scratchDirectory,
      jobId: null,
      mode: 'if-needed',
      dryRun: false,
    },
    { openRepository: () => openReader(repository) },
    quietActivity(),
    systemClock,
  );
  process.stdout.write(`${steps}\n`);
}

const [source, stateDirectory, repository] = process.argv.slice(2);
main(source!, stateDirectory!, repository!).catch((error: unknown) => {
  process.stderr.write(`${(error as Error).stack}\n`);
  process.exitCode = 1;
});
