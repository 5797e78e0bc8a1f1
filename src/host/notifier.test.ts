import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HoldfastError } from '../kernel/errors.ts';
import { openNotifier } from './notifier.ts';
import { type DatagramReceiver, startDatagramReceiver } from './testing/datagram-receiver.ts';

const unexpected = (error: HoldfastError): never => {
  throw error;
};

describe('openNotifier()', () => {
  let directory: string;
  let receiver: DatagramReceiver;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-notify-'));
    const socketPath = join(directory, 'notify');
    receiver = await startDatagramReceiver(socketPath);
    process.env['NOTIFY_SOCKET'] = socketPath;
  });

  afterEach(async () => {
    delete process.env['NOTIFY_SOCKET'];
    await receiver.stop();
    await rm(directory, { recursive: true });
  });

  for (const means of ['libsystemd', 'systemd-notify'] as const) {
    it(`tells the service manager every state, in order, through ${means}`, async () => {
      const notifier = await openNotifier({
        environment: process.env,
        onFailure: unexpected,
        means,
      });
      expect(notifier.means).toBe(means);
      await notifier.extendTimeout(90_000);
      await notifier.ready('2 sources protected');
      await notifier.watchdog();
      await notifier.status('first\nWATCHDOG=trigger');
      await notifier.stopping();
      const messages = await receiver.received('STOPPING=1');
      const states = messages.filter((message) => message.includes('=') && message !== 'BARRIER=1');
      expect(states.map((message) => message.trimEnd().split('\n'))).toEqual([
        ['EXTEND_TIMEOUT_USEC=90000000'],
        ['READY=1', 'STATUS=2 sources protected'],
        ['WATCHDOG=1'],
        ['STATUS=first WATCHDOG=trigger'],
        ['STOPPING=1'],
      ]);
    });
  }

  it('merges what is said while systemd-notify runs, so that nothing piles up', async () => {
    const notifier = await openNotifier({
      environment: process.env,
      onFailure: unexpected,
      means: 'systemd-notify',
    });
    const sent = Array.from({ length: 100 }, (_, index) => notifier.status(`step ${index}`));
    await Promise.all(sent);
    const messages = await receiver.received('step 99');
    expect(messages.filter((message) => message.includes('STATUS='))).toHaveLength(2);
  });
});

describe('openNotifier() where nobody can be told', () => {
  it('does nothing without NOTIFY_SOCKET', async () => {
    const notifier = await openNotifier({ environment: {}, onFailure: unexpected });
    expect(notifier.means).toBe('none');
    await notifier.ready('up');
    await notifier.stopping();
  });

  it('reports a message that could not be delivered, and does not reject', async () => {
    const failures: HoldfastError[] = [];
    const notifier = await openNotifier({
      environment: { PATH: process.env['PATH'], NOTIFY_SOCKET: '/nonexistent/notify' },
      onFailure: (error) => failures.push(error),
      means: 'systemd-notify',
    });
    await notifier.ready('up');
    expect(failures.map(({ code }) => code)).toEqual(['IO_ERROR']);
  });
});
