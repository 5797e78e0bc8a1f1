import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';

const entry = fileURLToPath(new URL('./process-priority.ts', import.meta.url));

/** What a program that lowers itself says of all its threads, one started afterwards included. */
async function prioritiesOf(
  choice: object,
  then = '',
): Promise<{ nice: number[]; group: number | null }> {
  const script = `
    const { lowerPriority, standBack, stepForward } = await import(process.env.MODULE);
    const { readdirSync, readFileSync, existsSync } = await import('node:fs');
    const { getPriority } = await import('node:os');
    const { Worker } = await import('node:worker_threads');
    lowerPriority(${JSON.stringify(choice)});
    ${then};
    const worker = new Worker('import("node:worker_threads").then((threads) => { setInterval(() => {}, 1000); threads.parentPort.postMessage(1); })', { eval: true });
    await new Promise((resolve) => worker.once('message', resolve));
    const nice = readdirSync('/proc/self/task').map((thread) => getPriority(Number(thread)));
    const file = '/proc/self/autogroup';
    const group = existsSync(file) ? /nice (-?[0-9]+)/.exec(readFileSync(file, 'utf8')) : null;
    console.log(JSON.stringify({ nice, group: group === null ? null : Number(group[1]) }));
    process.exit();`;
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    format: 'esm',
    write: false,
    logLevel: 'error',
  });
  const module = `data:text/javascript;base64,${Buffer.from(outputFiles[0]!.contents).toString('base64')}`;
  // A session of its own, as a worker has: nothing of the test runner is lowered with it.
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    detached: true,
    env: { ...process.env, MODULE: module },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (text) => {
    output += text;
  });
  await once(child, 'close');
  return JSON.parse(output);
}

describe.skipIf(!existsSync('/proc/self/task'))('lowerPriority()', () => {
  it('lowers every thread of the process, those it starts later too, and its session', async () => {
    const { nice, group } = await prioritiesOf({ niceness: 15, diskPriority: 'derived' });
    expect(nice.length).toBeGreaterThan(1);
    expect(Math.min(...nice)).toBeGreaterThanOrEqual(15);
    if (group !== null) expect(group).toBe(15);
  });

  it('steps forward while others wait, where the host lets it, and back again', async () => {
    const { nice } = await prioritiesOf({ niceness: 15, diskPriority: 'derived' }, 'stepForward()');
    const back = await prioritiesOf(
      { niceness: 15, diskPriority: 'derived' },
      'stepForward(); standBack()',
    );
    expect(Math.min(...back.nice)).toBeGreaterThanOrEqual(15);
    if (process.getuid?.() === 0) expect(Math.max(...nice)).toBeLessThan(15);
  });

  it('never raises what is lower already, and goes on where the disk cannot be left to others', async () => {
    const usual = await prioritiesOf({ niceness: 0, diskPriority: 'derived' });
    const again = await prioritiesOf({ niceness: 0, diskPriority: 'idle' });
    expect(Math.min(...again.nice)).toBe(Math.min(...usual.nice));
  });
});
