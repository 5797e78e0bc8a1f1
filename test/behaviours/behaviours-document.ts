import type { Proof } from './proofs.ts';
import { ROWS } from './rows.ts';
import type { Unproven } from './without-proof.ts';

const GROUPS: readonly { readonly title: string; readonly ids: RegExp }[] = [
  { title: 'What Holdfast offers', ids: /^F\d/ },
  { title: 'System 000: a backup and recovery manager inside an application server', ids: /^Z/ },
  { title: 'System 001: a current copy, archives, plugins, tables', ids: /^T/ },
  { title: 'System 002: a database as a portable artifact', ids: /^C/ },
  { title: 'System 003: a backup engine inside a small server', ids: /^F-/ },
  { title: 'System 004: a control server and its agents', ids: /^M/ },
];

/** docs/behaviours.md: every row, and the tests that prove it. */
export function behavioursDocument(
  proofs: ReadonlyMap<string, readonly Proof[]>,
  unproven: readonly Unproven[],
): string {
  const reasons = new Map(unproven.flatMap(({ rows, reason }) => rows.map((id) => [id, reason])));
  const proven = [...ROWS.keys()].filter((id) => proofs.has(id)).length;
  const sections = GROUPS.map(({ title, ids }) => {
    const rows = [...ROWS].filter(([id]) => ids.test(id));
    const lines = rows.map(([id, text]) => `| ${id} | ${cell(text)} | ${proofOf(id)} |`);
    return [
      `## ${title}`,
      '',
      '| row | behaviour | proven by |',
      '| --- | --- | --- |',
      ...lines,
    ].join('\n');
  });
  function proofOf(id: string): string {
    const found = proofs.get(id);
    if (found === undefined) return cell(reasons.get(id) ?? '**nothing yet**');
    return found.map(({ file, title }) => `\`${file}\`: ${cell(title)}`).join('<br>');
  }
  return `${HEAD.replace('PROVEN', String(proven)).replace('ALL', String(ROWS.size))}\n${sections.join('\n\n')}\n`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

const HEAD = `# Behaviours, and the tests that prove them

<!-- Generated from the titles of the tests: run \`npx vitest run test/behaviours -u\` after a change there. -->

Five earlier systems were read closely; what each does for its users is a row here, and so is each of their defects
(ids with a D), which must not come back. A test proves a row if its title begins with the row's id.
PROVEN of ALL rows are named by a test.
`;
