import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What one long suite did, as `docs/proof.md` tells it. */
export interface Proof {
  /** Unique; lower-case words with hyphens; also the file's name. */
  readonly suite: string;
  /** One line: the promise that is proven, from the user's point of view. */
  readonly promise: string;
  /** How it was tried, in a sentence or two. */
  readonly how: string;
  /** What reproduces the figures, from the project's folder. */
  readonly command: string;
  /** Counts, in the order in which they are shown; scenarios, points cut, faults injected, frames sent, … */
  readonly figures: Readonly<Record<string, number | string>>;
  /** How often the promise did not hold. */
  readonly failures: number;
  /** The seeds, as they are to be given to replay; "none" where nothing is drawn. */
  readonly seeds: string;
}

const PROOFS = fileURLToPath(new URL('../../../docs/proof', import.meta.url));

/** The environment variable that makes long suites keep what they did; without it their samples leave no trace. */
const RECORD_VARIABLE = 'HOLDFAST_PROOF';

/** Keeps the figures of a long suite in `docs/proof/<suite>.json`, when HOLDFAST_PROOF=1 asks for it. */
export function recordProof(proof: Proof): void {
  if (process.env[RECORD_VARIABLE] !== '1') return;
  mkdirSync(PROOFS, { recursive: true });
  writeFileSync(join(PROOFS, `${proof.suite}.json`), `${JSON.stringify(proof, null, 2)}\n`);
}
