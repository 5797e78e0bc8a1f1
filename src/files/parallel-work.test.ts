import { describe, expect, it } from 'vitest';
import { ParallelWork } from './parallel-work.ts';

/** Work that ends when it is told to. */
function openWork(log: string[], name: string) {
  let resolve = (): void => {};
  let reject = (_error: Error): void => {};
  const promise = new Promise<void>((succeed, fail) => {
    resolve = succeed;
    reject = fail;
  });
  const run = async (): Promise<void> => {
    log.push(`${name} begins`);
    await promise;
    log.push(`${name} ends`);
  };
  return { run, resolve, reject };
}

describe('ParallelWork', () => {
  it('never runs more at once than it may, and all of it in the end', async () => {
    const work = new ParallelWork(3);
    let running = 0;
    let mostAtOnce = 0;
    let done = 0;
    for (let index = 0; index < 50; index++) {
      await work.add(async () => {
        running += 1;
        mostAtOnce = Math.max(mostAtOnce, running);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        done += 1;
      });
    }
    await work.settle();
    expect({ mostAtOnce, done, running }).toEqual({ mostAtOnce: 3, done: 50, running: 0 });
  });

  it('begins nothing after a failure, and throws it once the rest has ended', async () => {
    const log: string[] = [];
    const work = new ParallelWork(2);
    const first = openWork(log, 'first');
    const second = openWork(log, 'second');
    await work.add(first.run);
    await work.add(second.run);
    const third = work.add(async () => void log.push('third begins'));
    first.reject(new Error('no space'));
    await expect(third).rejects.toThrow('no space');
    const idle = work.idle().then(() => log.push('idle'));
    second.resolve();
    await idle;
    await expect(work.settle()).rejects.toThrow('no space');
    expect(log).toEqual(['first begins', 'second begins', 'second ends', 'idle']);
  });
});
