import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { Random } from '../damage/random.ts';
import { mutate } from './mutate.ts';
import { type Ending, type FamilyBytes, makeFamily, SHAPES } from './sound-family.ts';
import { tryFamily } from './try-family.ts';

/** What a run over many mutated databases prints, as one line of JSON. */
export interface MutationRun {
  readonly tried: number;
  /** By condition, and of those how many could be salvaged. */
  readonly conditions: Record<string, number>;
  readonly salvaged: number;
  /** Each with the number that makes it again. */
  readonly failures: string[];
  readonly longestMs: number;
  readonly residentMebibytes: number;
}

const FAILURES_MAX = 20;
/** A run that is cut short still tells how far it came. */
const REPORT_EVERY = 250;

const [first, count] = process.argv.slice(2).map(Number) as [number, number];
const directory = mkdtempSync(join(tmpdir(), 'holdfast-mutations-'));
const conditions: Record<string, number> = {};
const failures: string[] = [];
let salvaged = 0;
let longestMs = 0;
let tried = 0;

/** Kept in files: what they take of memory is not what reading them takes. */
function soundFamily(index: number): FamilyBytes {
  const kept = join(directory, `family-${index}`);
  if (!existsSync(kept)) {
    writeFileSync(kept, serialize(makeFamily(SHAPES[index]!, join(directory, 'sound'))));
  }
  const family: Record<Ending, Uint8Array | null> = deserialize(readFileSync(kept));
  const bytesOf = (ending: Ending): Buffer | null =>
    family[ending] === null ? null : Buffer.from(family[ending]);
  return { '': bytesOf(''), '-wal': bytesOf('-wal'), '-journal': bytesOf('-journal') };
}

async function main(): Promise<void> {
  for (let number = first; number < first + count && failures.length < FAILURES_MAX; number += 1) {
    // A stride that shares no factor with their number: short runs see every page size, too.
    const index = (number * 31) % SHAPES.length;
    const shape = SHAPES[index]!;
    const startedMs = performance.now();
    // The last line of a run that had to be ended names what it hung on.
    console.error(`mutation ${number}`);
    try {
      const mutated = mutate(soundFamily(index), shape.pageBytes, new Random(number));
      const outcome = await tryFamily(mutated, join(directory, 'try'));
      conditions[outcome.condition] = (conditions[outcome.condition] ?? 0) + 1;
      if (outcome.salvaged) salvaged += 1;
    } catch (error) {
      failures.push(`${number} (${JSON.stringify(shape)}): ${(error as Error).stack ?? error}`);
    }
    longestMs = Math.max(longestMs, performance.now() - startedMs);
    tried += 1;
    if (tried % REPORT_EVERY === 0) console.error(JSON.stringify({ tried, conditions, failures }));
  }
  rmSync(directory, { recursive: true, force: true });
  const residentMebibytes = Math.round(process.resourceUsage().maxRSS / 1024);
  const run: MutationRun = {
    tried,
    conditions,
    salvaged,
    failures,
    longestMs: Math.round(longestMs),
    residentMebibytes,
  };
  console.log(JSON.stringify(run));
}

void main();
