import { readFileSync } from 'node:fs';
import { quietActivity } from '../../../kernel/activity.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { armKillSwitch, KILL_AT_STEP_VARIABLE } from '../../durable-steps.ts';
import { performSwap, resumeSwaps, type SwapRequest } from '../swap.ts';

/** `swap <request.json>` or `resume <state directory>`, in a process of its own that a test can have killed. */
const [command, argument] = process.argv.slice(2) as [string, string];
armKillSwitch(process.env[KILL_AT_STEP_VARIABLE]);
if (command === 'swap') {
  const request = JSON.parse(readFileSync(argument, 'utf8')) as SwapRequest;
  await performSwap(request, systemClock, quietActivity());
} else {
  await resumeSwaps(argument, systemClock, quietActivity());
}
