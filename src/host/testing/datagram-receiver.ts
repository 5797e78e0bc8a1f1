import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('./datagram-receiver.py', import.meta.url));

export interface DatagramReceiver {
  /** Resolves with everything received so far, once a message holds `text`. */
  received(text: string): Promise<readonly string[]>;
  stop(): Promise<void>;
}

/** A service manager's end of a notification socket, in Python, since Node has no datagram Unix sockets. */
export async function startDatagramReceiver(socketPath: string): Promise<DatagramReceiver> {
  const child = spawn('python3', [program, socketPath], { stdio: ['ignore', 'pipe', 'inherit'] });
  const messages: string[] = [];
  let wake = (): void => {};
  child.once('error', (error) => {
    throw new Error(`These tests need python3: ${error.message}`);
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    messages.push(JSON.parse(line) as string);
    wake();
  });
  const received = async (text: string): Promise<readonly string[]> => {
    while (!messages.some((message) => message.includes(text))) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return messages;
  };
  await received('listening');
  return {
    received,
    async stop() {
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    },
  };
}
