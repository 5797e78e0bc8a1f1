// A worker that speaks the protocol by hand and behaves as `params.behaviour` says.
import { spawn } from 'node:child_process';

const send = (message) => new Promise((sent) => process.send(message, sent));
const log = (message) => send({ type: 'log', stream: 'event', message });
const finish = async (result = {}) => {
  await send({ type: 'result', result });
  process.exit(0);
};
const stayAlive = () => setInterval(() => {}, 1000);

const behaviours = {
  normal: async ({ value }) => {
    await send({ type: 'progress', counts: { phase: 'work', filesDone: 1, totalFiles: 2 } });
    await send({ type: 'warn', message: 'careful' });
    console.log('to stdout');
    console.error('to stderr');
    await finish({ value });
  },
  'finish-late': async ({ delayMs }) => {
    setTimeout(() => finish({ late: true }), delayMs);
  },
  'fail-plainly': async () => {
    const error = { code: 'SOURCE_MISSING', message: 'no source', retryable: true };
    await send({ type: 'failed', error });
    process.exit(1);
  },
  'crash-by-signal': async () => {
    process.stderr.write('about to crash\n');
    process.kill(process.pid, 'SIGSEGV');
    stayAlive();
  },
  'exit-silently': async () => process.exit(7),
  'throw-at-once': async () => {
    throw new Error('thrown in the worker');
  },
  'ignore-cancel': async () => {
    stayAlive();
    await log('hanging');
  },
  'obey-cancel': async () => {
    stayAlive();
    process.on('message', async ({ type, reason }) => {
      if (type !== 'cancel') return;
      const code = reason === 'deadline' ? 'TIMEOUT' : 'CANCELLED';
      await send({ type: 'failed', error: { code, message: 'stopped', retryable: false } });
      process.exit(130);
    });
    await log('waiting');
  },
  'finish-when-cancelled': async () => {
    stayAlive();
    process.on('message', ({ type }) => type === 'cancel' && finish({ anyway: true }));
    await log('waiting');
  },
  'section-when-cancelled': async ({ holdMs }) => {
    await send({ type: 'section', cancellable: false });
    await log('in section');
    process.on('message', ({ type }) => {
      if (type === 'cancel') setTimeout(() => finish({ whole: true }), holdMs);
    });
  },
  'busy-loop': async () => {
    await log('looping');
    for (;;);
  },
  bloat: async () => {
    const kept = [];
    const grow = () => {
      kept.push(Buffer.alloc(8 * 1024 * 1024, 1));
      setTimeout(grow, 10);
    };
    grow();
  },
  'leave-grandchild': async ({ then }) => {
    // Inherits the pipes, which so stay open, and ignores polite signals.
    const program = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)";
    const { pid } = spawn(process.execPath, ['-e', program], { stdio: 'inherit' });
    await log(`grandchild ${pid}`);
    if (then === 'finish') await finish();
    else if (then === 'crash') process.kill(process.pid, 'SIGKILL');
    stayAlive();
  },
  'flood-stdout': async ({ bytes, newline }) => {
    const block = newline ? `${'x'.repeat(99)}\n`.repeat(1000) : 'x'.repeat(100_000);
    for (let written = 0; written < bytes; written += block.length) process.stdout.write(block);
    await new Promise((written) => process.stdout.write('', written));
    await finish();
  },
  'flood-progress': async ({ count }) => {
    for (let done = 1; done <= count; done += 1) {
      await send({ type: 'progress', counts: { filesDone: done, totalFiles: count } });
    }
    await finish();
  },
  'talk-strangely': async () => {
    await send({ type: 'no such type' });
    await send('text');
    await send({ type: 'progress', counts: null });
    await send({ type: 'progress', counts: { filesDone: Number.NaN, bytesDone: -1, phase: 5 } });
    await send({ type: 'result', result: null });
    await finish({ calm: true });
  },
  'linger-after-result': async () => {
    await send({ type: 'result', result: { done: true } });
    stayAlive();
  },
};

process.on('message', (message) => {
  if (message.type === 'start') behaviours[message.params.behaviour](message.params);
});
