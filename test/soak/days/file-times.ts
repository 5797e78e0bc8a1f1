import fs, { type BigIntStats, type Stats } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { TimeTable } from './time-table.ts';

/** From now on whoever asks this process's `fs` for the times of a file hears them as the simulated clock has them. */
export async function simulateFileTimes(table: TimeTable): Promise<void> {
  const patched = fs as unknown as Record<string, (...args: unknown[]) => unknown>;
  for (const name of ['statSync', 'lstatSync', 'fstatSync']) {
    const real = patched[name]!;
    patched[name] = (...args) => translated(real(...args), table);
  }
  const promises = fs.promises as unknown as Record<string, (...args: unknown[]) => unknown>;
  for (const name of ['stat', 'lstat']) {
    const real = promises[name]!;
    promises[name] = async (...args) => translated(await real(...args), table);
  }
  const handle = await fs.promises.open(process.execPath, 'r');
  const prototype = Object.getPrototypeOf(handle) as { stat(...args: unknown[]): Promise<unknown> };
  await handle.close();
  const real = prototype.stat;
  prototype.stat = async function (this: unknown, ...args) {
    return translated(await real.apply(this as never, args), table);
  };
  syncBuiltinESMExports();
}

const TIMES = ['atime', 'mtime', 'ctime', 'birthtime'] as const;

function translated(stats: unknown, table: TimeTable): unknown {
  if (typeof stats !== 'object' || stats === null) return stats;
  const target = stats as Record<string, unknown>;
  for (const name of TIMES) {
    const isBig = typeof (stats as Stats | BigIntStats).mtimeMs === 'bigint';
    const ns = isBig
      ? (target[`${name}Ns`] as bigint)
      : BigInt(Math.round((target[`${name}Ms`] as number) * 1000)) * 1000n;
    const simulatedNs = table.simulatedNs(ns);
    const ms = Number(simulatedNs / 1000n) / 1000;
    target[`${name}Ms`] = isBig ? simulatedNs / 1_000_000n : ms;
    if (isBig) target[`${name}Ns`] = simulatedNs;
    Object.defineProperty(stats, name, { value: new Date(ms), configurable: true });
  }
  return stats;
}
