import { afterAll } from 'vitest';
import { describeDaemonFaults } from './daemon-faults.ts';
import { recordTally } from './fault-tally.ts';
import { describeStepFaults } from './step-faults.ts';
import { describeTracedFaults } from './traced-faults.ts';

/**
 * Promise: a disk that is full, fails or cannot be written costs the work at hand and nothing else.
 * A sample in the gate; `npm run test:faults` tries every step.
 */

afterAll(recordTally);
describeStepFaults();
describeTracedFaults();
describeDaemonFaults();
