import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BANK_TOTAL, readBank } from '../support/bank.ts';

const DIGEST_BYTES = 32;

/** What is wrong with a restored bank; null: nothing. */
export function faultOfBank(path: string): string | null {
  const { integrity, total, transfers } = readBank(path);
  if (integrity !== 'ok') return integrity;
  if (total !== BANK_TOTAL) return `the accounts hold ${total}`;
  return transfers >= 0 ? null : 'no transfers';
}

/** What is wrong with restored files of file-churn.mjs; null: nothing. */
export function faultOfFiles(directory: string): string | null {
  for (const name of readdirSync(directory, { recursive: true }) as string[]) {
    if (!name.endsWith('.bin')) continue;
    const path = join(directory, name);
    if (!lstatSync(path).isFile()) continue;
    const bytes = readFileSync(path);
    const digest = createHash('sha256').update(bytes.subarray(DIGEST_BYTES)).digest();
    if (!digest.equals(bytes.subarray(0, DIGEST_BYTES))) return `${name} is not as it was written`;
  }
  return faultOfLog(join(directory, 'events.jsonl'));
}

function faultOfLog(path: string): string | null {
  if (!existsSync(path)) return null;
  // The last line may be in the middle of being written.
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  const wrong = lines.findIndex((line, index) => line !== String(index + 1));
  return wrong === -1 ? null : `line ${wrong + 1} of the log is ${lines[wrong]}`;
}
