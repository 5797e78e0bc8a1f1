import { setTimeout as pause, setImmediate } from 'node:timers/promises';
import { runDaemon } from '../../../../src/daemon/main.ts';
import { simulateFileTimes } from '../file-times.ts';
import { JumpClock } from '../jump-clock.ts';
import { TimeTable } from '../time-table.ts';

/** The daemon as it is, under a clock that its parent moves: `{advanceTo}` and `{setWall}`, each answered when all is done. */

const table = new TimeTable(process.env['SOAK_TIMES']!);
const clock = new JumpClock(Number(process.env['SOAK_START_MS']), table);
await simulateFileTimes(table);

/** Turns of the loop without anything under way until all is taken for done. */
const QUIET_TURNS = 2;
const REST_MS = 5;
const BUSY = /^(FSReq|CloseReq|ProcessWrap|PipeConnect|GetAddrInfo|Worker|WriteWrap|ShutdownWrap)/;

async function settle(): Promise<void> {
  for (let quiet = 0; quiet < QUIET_TURNS; ) {
    await setImmediate();
    quiet = process.getActiveResourcesInfo().some((name) => BUSY.test(name)) ? 0 : quiet + 1;
  }
}

/** What the resources do not tell of, such as a module being loaded, is given real time to end. */
async function rest(): Promise<void> {
  for (let count = 0; count < 2; count += 1) {
    await pause(REST_MS);
    await settle();
  }
}

let work = Promise.resolve();
process.on('message', (message: { advanceTo?: number; setWall?: number }) => {
  work = work.then(async () => {
    if (message.setWall !== undefined) clock.setWall(message.setWall);
    await rest();
    await clock.advanceTo(message.advanceTo ?? clock.nowMs(), settle);
    await rest();
    process.send?.({ nowMs: clock.nowMs() });
  });
});
// A parent that is gone wants nothing any more.
process.on('disconnect', () => process.exit(1));

process.exitCode = await runDaemon({}, clock);
process.removeAllListeners('disconnect');
process.disconnect?.();
