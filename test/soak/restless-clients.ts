import { sleep, systemClock } from '../../src/kernel/clock.ts';
import type { RpcClient } from '../../src/rpc/client.ts';
import type { Sandbox } from '../support/sandbox.ts';

const POLL_MS = 500;
const POLLERS = 4;
const SUBSCRIBERS = 2;

export interface RestlessClients {
  readonly figures: { polls: number; events: number; connections: number };
  stop(): Promise<void>;
}

/** Clients that ask for the state of things all the time, that follow events, and that come and go. */
export async function startRestlessClients(sandbox: Sandbox): Promise<RestlessClients> {
  const figures = { polls: 0, events: 0, connections: 0 };
  const stopping = new AbortController();
  const { signal } = stopping;
  const connected: RpcClient[] = [];
  const works: Promise<void>[] = [];
  const connect = async (): Promise<RpcClient> => {
    figures.connections += 1;
    return sandbox.client();
  };
  async function poll(client: RpcClient): Promise<void> {
    while (!signal.aborted) {
      await client.call('daemon.status', {});
      await client.call('job.list', { limit: 20 });
      await client.call('snapshot.list', { limit: 20 });
      figures.polls += 3;
      await sleep(systemClock, POLL_MS, signal).catch(() => {});
    }
  }
  async function follow(client: RpcClient): Promise<void> {
    const subscription = await client.subscribe({});
    for await (const _event of subscription) figures.events += 1;
  }
  async function comeAndGo(): Promise<void> {
    while (!signal.aborted) {
      const client = await connect();
      await client.call('health.report', {});
      // Half of those who come leave without a word.
      if (figures.connections % 2 === 0) await client.subscribe({});
      client.close();
      await sleep(systemClock, POLL_MS * 2, signal).catch(() => {});
    }
  }
  for (let count = 0; count < POLLERS + SUBSCRIBERS; count += 1) {
    const client = await connect();
    connected.push(client);
    works.push(count < POLLERS ? poll(client) : follow(client));
  }
  works.push(comeAndGo());
  // Kept, so that a failure is not unhandled until stop() tells it.
  const outcome = Promise.allSettled(works);
  return {
    figures,
    async stop() {
      stopping.abort();
      for (const client of connected.slice(POLLERS)) client.close();
      const failed = (await outcome).find((each) => each.status === 'rejected');
      for (const client of connected) client.close();
      if (failed?.status === 'rejected' && !isClosed(failed.reason)) throw failed.reason;
    },
  };
}

const isClosed = (error: unknown): boolean => String(error).includes('connection');
