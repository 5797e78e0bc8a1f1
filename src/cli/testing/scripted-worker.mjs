/**
 * A worker's end of the fork channel. What it does is told by HOLDFAST_TEST_WORKER: `succeed`, `warn`, `locked`
 * (the instance lock is another's the first time; the file HOLDFAST_TEST_MARK remembers), `unfit`, or `hang`
 * (until cancelled).
 */
import { existsSync, writeFileSync } from 'node:fs';

const behaviour = process.env.HOLDFAST_TEST_WORKER;
const finish = (message) => process.send(message, () => process.disconnect());
const failed = (code) => ({ type: 'failed', error: { code, message: code, retryable: false } });

process.on('message', (message) => {
  if (message.type === 'cancel') finish(failed('CANCELLED'));
  if (message.type !== 'start') return;
  const result = {
    ok: behaviour !== 'unfit',
    params: message.params,
    offline: message.offline,
    stateDirectory: message.settings.stateDirectory,
    sources: {},
  };
  process.send({ type: 'progress', counts: { phase: 'hash', bytesDone: 5, totalBytes: 10 } });
  if (behaviour === 'hang') return;
  if (behaviour === 'warn') process.send({ type: 'warn', message: 'a file was\u001b[2J skipped' });
  const mark = process.env.HOLDFAST_TEST_MARK;
  const isLocked = behaviour === 'locked' && !existsSync(mark);
  if (isLocked) writeFileSync(mark, '');
  finish(isLocked ? failed('INSTANCE_LOCKED') : { type: 'result', result });
});
