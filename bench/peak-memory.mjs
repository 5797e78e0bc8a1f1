import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Looks every 20 ms at the peak of resident memory that the kernel keeps for every child; the largest stays in a file. */
const WATCH = `
const { readFileSync, writeFileSync } = require('node:fs');
const [pid, out] = process.argv.slice(1);
let peak = 0;
setInterval(() => {
  try {
    for (const child of readFileSync('/proc/' + pid + '/task/' + pid + '/children', 'utf8').trim().split(' ')) {
      const kilobytes = /VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/' + child + '/status', 'utf8'))?.[1];
      if (Number(kilobytes) * 1024 > peak) writeFileSync(out, String((peak = Number(kilobytes) * 1024)));
    }
  } catch {}
}, 20);
`;

/** Runs `work`, which blocks, and adds to its result the most memory that a worker of the daemon had meanwhile. */
export function peakOfWorkers(daemonPid, work) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-peak-'));
  const out = join(folder, 'bytes');
  const watcher = spawn(process.execPath, ['-e', WATCH, String(daemonPid), out], {
    stdio: 'ignore',
  });
  try {
    const result = work();
    return { ...result, memoryBytes: Number(readFileSync(out, 'utf8')) };
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return { ms: Number.NaN, memoryBytes: 0 };
  } finally {
    watcher.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}
