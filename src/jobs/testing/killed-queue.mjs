// Takes two jobs through the queue in the state.db named on the command line; ends itself by SIGKILL at the
// durable step that the environment names, else prints how many steps there were.
import {
  armKillSwitch,
  KILL_AT_STEP_VARIABLE,
  observeDurableSteps,
} from '../../files/durable-steps.ts';
import { systemClock } from '../../kernel/clock.ts';
import { silentLogger } from '../../kernel/logger.ts';
import { openState } from '../../state/state-database.ts';
import { JobQueue } from '../job-queue.ts';

const told = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
let commits = 0;
observeDurableSteps((step, _path, moment) => {
  if (step === 'sqlite-commit' && moment === 'before') commits += 1;
});
async function main() {
  const state = await openState(process.argv[2], { clock: systemClock });
  armKillSwitch(process.env[KILL_AT_STEP_VARIABLE]);
  const queue = new JobQueue({
    state,
    clock: systemClock,
    logger: silentLogger,
    runJob: async (job, hooks) => {
      // Beyond every process number: nothing that the next start could end.
      hooks.onStarted(2 ** 22 + 1);
      for (let line = 0; line < 300; line += 1) {
        hooks.onMessage({ type: 'log', stream: 'event', message: `line ${line}` });
      }
      return { status: 'succeeded', result: { of: job.params.name }, error: null, warnings: 0 };
    },
  });
  queue.onEvent((event) => {
    if (event.type === 'job.changed') told({ id: event.job.id, status: event.job.status });
    if (event.type === 'job.log') told({ id: event.jobId, seq: event.lines.at(-1).seq });
  });
  await queue.start();
  for (const name of ['first', 'second']) {
    const job = queue.submit({ kind: 'check', params: { name }, actor: 'user', mutating: true });
    told({ id: job.id, accepted: name });
  }
  for (const job of queue.list().items) await queue.wait(job.id, 10_000);
  told({ commits });
  state.close();
}

main();
