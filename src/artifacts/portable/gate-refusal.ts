import { cannot, type HoldfastError } from '../../kernel/errors.ts';

/** In the order in which an artifact passes them. */
export const GATES = [
  'kind',
  'format',
  'manifest',
  'signature',
  'checksum',
  'model',
  'schema',
] as const;

export type Gate = (typeof GATES)[number];

const HINTS: Readonly<Record<Gate, string>> = {
  kind: 'A newer Holdfast may know it.',
  format: 'A newer Holdfast may know it.',
  manifest: 'It was changed or cut short after it was made. Fetch it again, or make another.',
  signature:
    'Ask whoever made it which key it was signed with; artifacts.verifyWith names those that are trusted.',
  checksum:
    'The payload was changed or cut short after it was made. Fetch it again, or make another.',
  model: 'Use an artifact that this version of the application can read.',
  schema: 'Use an artifact that this version of the application can read.',
};

/** VERIFY_FAILED with `details.gate`. */
export function refuseAtGate(
  gate: Gate,
  artifact: string,
  state: string,
  details: Record<string, unknown> = {},
): HoldfastError {
  return cannot('VERIFY_FAILED', 'accept artifact', artifact, state, {
    hint: HINTS[gate],
    details: { gate, ...details },
  });
}
