import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { behavioursDocument } from './behaviours-document.ts';
import { proofsByRow } from './proofs.ts';
import { ROWS } from './rows.ts';
import { UNPROVEN } from './without-proof.ts';

const proofs = proofsByRow(fileURLToPath(new URL('../..', import.meta.url)));
const excused = new Set(UNPROVEN.flatMap(({ rows }) => rows));

it('docs/behaviours.md says what the titles of the tests say', async () => {
  await expect(behavioursDocument(proofs, UNPROVEN)).toMatchFileSnapshot(
    '../../docs/behaviours.md',
  );
});

it('no title names a row that does not exist', () => {
  expect([...proofs.keys()].filter((id) => !ROWS.has(id))).toEqual([]);
});

it('every row is named by a test, or by a reason why not', () => {
  const open = [...ROWS.keys()].filter((id) => !proofs.has(id) && !excused.has(id));
  expect(open).toEqual([]);
});

it('nothing that a test proves is excused, and nothing excused is unknown', () => {
  expect([...excused].filter((id) => proofs.has(id) || !ROWS.has(id))).toEqual([]);
});
