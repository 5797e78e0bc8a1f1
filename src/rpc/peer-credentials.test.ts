import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadPeerCredentials } from './peer-credentials.ts';

it.runIf(process.platform === 'linux')(
  'F57: the kernel says which process of which user is at the other end of the socket',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'peer-'));
    const path = join(directory, 'a.sock');
    const read = await loadPeerCredentials();
    const server = createServer().listen(path);
    await once(server, 'listening');
    const script = `const s = require('net').connect(${JSON.stringify(path)}); s.on('close', () => process.exit(0)); s.resume()`;
    const client = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
    try {
      const [socket] = (await once(server, 'connection')) as [Socket];
      expect(read(socket)).toEqual({
        pid: client.pid,
        uid: process.getuid!(),
        gid: process.getgid!(),
      });
      socket.destroy();
      await once(socket, 'close');
      expect(read(socket)).toBeNull();
      if (client.exitCode === null) await once(client, 'exit');
    } finally {
      client.kill();
      server.close();
      await rm(directory, { recursive: true, force: true });
    }
  },
);
