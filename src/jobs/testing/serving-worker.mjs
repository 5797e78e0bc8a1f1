// A worker as the real one is: `serveWorker` around an operation chosen by `params.behaviour`.
import { spawn } from 'node:child_process';
import Database from 'better-sqlite3';
import { cannot } from '../../kernel/errors.ts';
import { serveWorker } from '../worker-runtime.ts';

const untilAborted = async (signal) => {
  signal.throwIfAborted();
  await new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
  );
};

const behaviours = {
  normal: async ({ value }, activity) => {
    activity.log('one line');
    activity.warn('careful');
    setInterval(() => {}, 1000);
    return { value };
  },
  fail: async () => {
    throw cannot('SOURCE_CORRUPT', 'read', 'app.db', 'it is torn', { hint: 'Recover it.' });
  },
  'fail-at-once': () => {
    throw new TypeError('not even a promise');
  },
  'reject-unheard': async () => {
    Promise.reject(new Error('nobody listens'));
    await new Promise(() => setInterval(() => {}, 1000));
  },
  'wait-for-cancel': async (_, activity) => {
    const idle = setInterval(() => {}, 1000);
    activity.log(`pid ${process.pid}`);
    await untilAborted(activity.signal).finally(() => clearInterval(idle));
  },
  'swap-when-cancelled': async (_, activity) => {
    const idle = setInterval(() => {}, 1000);
    activity.log('ready');
    await untilAborted(activity.signal).catch(() => {});
    clearInterval(idle);
    activity.setCancellable(false);
    return { reached: true };
  },
  'report-much': async ({ count }, activity) => {
    for (let done = 1; done <= count; done += 1) {
      activity.progress({ phase: 'count', filesDone: done, totalFiles: count });
      if (done % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    return {};
  },
  'long-result': async () => ({ kept: 'yes', entries: 'x'.repeat(2 * 1024 * 1024) }),
  'leave-grandchild': async (_, activity) => {
    const program = 'setInterval(() => {}, 1000)';
    const { pid } = spawn(process.execPath, ['-e', program], { stdio: 'ignore' });
    activity.log(`grandchild ${pid}`);
    await untilAborted(activity.signal);
  },
  'long-query': async (_, activity) => {
    activity.log(`pid ${process.pid}`);
    // The message leaves, then the main thread is inside SQLite for longer than any test.
    await new Promise((resolve) => setImmediate(resolve));
    const sql = `WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000000000000)
                 SELECT count(*) FROM c`;
    return { count: new Database(':memory:').prepare(sql).pluck().get() };
  },
};

serveWorker((start, activity) => behaviours[start.params.behaviour](start.params, activity));
