import type { Proof } from '../../src/kernel/testing/record-proof.ts';

const HEAD = `# What was tried to break it

<!-- Generated from docs/proof/*.json, which the long suites write under HOLDFAST_PROOF=1:
     run \`npx vitest run --project system test/proof -u\` after a change there. -->

A promise is worth its proof. Every figure below was counted by the suite that its command runs; the gate
(\`npm run ok\`) runs a short, seeded sample of each. Seeds are as given: the same seed tries the same thing again.
The tests behind every single behaviour are listed in [behaviours.md](behaviours.md).
`;

/** docs/proof.md: what each long suite tried, how often, and with what result. */
export function proofDocument(proofs: readonly Proof[]): string {
  const overview = proofs.map(
    ({ promise, suite, failures }) => `| ${promise} | [${suite}](#${suite}) | ${failures} |`,
  );
  const sections = proofs.map((proof) => [
    `## ${proof.suite}`,
    '',
    `${proof.promise} ${proof.how}`,
    '',
    '| | |',
    '| --- | --- |',
    ...Object.entries(proof.figures).map(([name, value]) => `| ${name} | ${shown(value)} |`),
    `| failures | ${shown(proof.failures)} |`,
    `| seeds | ${proof.seeds} |`,
    '',
    `Command: \`${proof.command}\``,
    '',
  ]);
  return [
    HEAD,
    '| promise | suite | failures |',
    '| --- | --- | --- |',
    ...overview,
    '',
    ...sections.flat(),
  ].join('\n');
}

function shown(value: number | string): string {
  return typeof value === 'number' ? value.toLocaleString('en-US') : value;
}
