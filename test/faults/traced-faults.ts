import { join } from 'node:path';
import { afterAll, describe, it } from 'vitest';
import { toErrorDocument } from '../../src/kernel/errors.ts';
import { seededRandom } from '../support/random.ts';
import { FaultPlace } from './fault-place.ts';
import { FAULT_SCENARIOS, type FaultScenario } from './fault-scenarios.ts';
import { FAULTS_PER_STEP, isLong, judge, seed, tally } from './fault-tally.ts';
import { canTrace, countCalls, type Injection, injecting, runTraced } from './traced-worker.ts';
import {
  endWorker,
  failureOf,
  judgeAftermath,
  type Prepared,
  prepareScenario,
} from './try-fault.ts';

type Kind = Omit<Injection, 'from'>;

/** What writes, and what makes writes durable. */
const WRITING: readonly Kind[] = [
  { calls: 'fsync,fdatasync', error: 'EIO', lasting: false },
  { calls: 'fsync,fdatasync', error: 'EIO', lasting: true },
  { calls: 'pwrite64', error: 'ENOSPC', lasting: true },
  { calls: 'write,writev', error: 'ENOSPC', lasting: false },
  { calls: 'rename,renameat,renameat2', error: 'EIO', lasting: false },
  { calls: 'unlink,unlinkat,rmdir', error: 'EIO', lasting: false },
  { calls: 'mkdir,mkdirat', error: 'EROFS', lasting: false },
];
const READING: readonly Kind[] = [
  { calls: 'openat', error: 'EMFILE', lasting: false },
  { calls: 'pread64', error: 'EIO', lasting: false },
];

/** Where what cannot be read is made up for in another way, the outcome is sound, but not always the same. */
const OF_WRITING_ALONE = new Set(['recovery of a damaged database']);
const TRACED = new Set([
  'second backup',
  'prune',
  'restore in place',
  'restore to a directory',
  'apply a staged restore',
  'migration',
  'export as db',
  ...OF_WRITING_ALONE,
]);

const CALLS_EACH = FAULTS_PER_STEP >= 1 ? 2 : 1;

async function tryTraced(
  place: FaultPlace,
  prepared: Prepared,
  injection: Injection,
): Promise<string[]> {
  place.reset();
  const inProcess = place.perform;
  place.perform = (start) => runTraced(start, injecting(injection));
  const error = await failureOf(prepared.scenario.work(place));
  place.perform = inProcess;
  tally.realFaults += 1;
  tally.realKinds.add(`${injection.calls} ${injection.error} ${injection.lasting}`);
  // What this process prepared, a worker would have.
  endWorker(place);
  const problems = await judgeAftermath(place, prepared, error, true);
  const { code, message } = toErrorDocument(error);
  // Node itself could not read the program.
  const isUnread = /^Cannot find module|cannot open shared object file/.test(message);
  if (error !== null && code === 'INTERNAL' && !isUnread)
    problems.push(`nobody can tell what it was: ${message}`);
  return problems;
}

async function traceScenario(place: FaultPlace, scenario: FaultScenario, kinds: readonly Kind[]) {
  const random = seededRandom(seed);
  const prepared = await prepareScenario(place, scenario);
  for (const kind of kinds) {
    place.reset();
    const inProcess = place.perform;
    const log = join(place.root, 'calls');
    let calls = 0;
    place.perform = async (start) => {
      let result = {};
      calls = await countCalls(
        async (options) => {
          result = await runTraced(start, options);
        },
        kind.calls,
        log,
      );
      return result;
    };
    await scenario.work(place);
    place.perform = inProcess;
    for (let index = 0; index < (isLong ? CALLS_EACH : 1); index += 1) {
      const injection = { ...kind, from: 1 + Math.floor(random() * calls) };
      const problems = await tryTraced(place, prepared, injection);
      judge(`${scenario.name}: ${JSON.stringify(injection)} of ${calls}`, problems);
    }
  }
}

const kindsFor = ({ name }: FaultScenario): readonly Kind[] =>
  OF_WRITING_ALONE.has(name) ? WRITING : [...WRITING, ...READING];

export function describeTracedFaults(): void {
  describe.skipIf(!canTrace())('a real worker whose system calls fail (needs strace)', () => {
    const place = new FaultPlace();
    afterAll(() => place.dispose());
    const scenarios = FAULT_SCENARIOS.filter(({ name }) => TRACED.has(name));
    const random = seededRandom(seed);
    const sampled = scenarios[Math.floor(random() * scenarios.length)]!;
    for (const scenario of isLong ? scenarios : [sampled]) {
      const all = kindsFor(scenario);
      const kinds = isLong ? all : [all[Math.floor(random() * all.length)]!];
      it(
        `Z-D3: ${scenario.name}: fails with a reason or as a crash does, and nothing is lost`,
        () => traceScenario(place, scenario, kinds),
        7_200_000,
      );
    }
  });
}
