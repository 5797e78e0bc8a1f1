import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import type { Proof } from '../../src/kernel/testing/record-proof.ts';
import { proofDocument } from './proof-document.ts';

const directory = fileURLToPath(new URL('../../docs/proof/', import.meta.url));
const proofs = readdirSync(directory)
  .filter((name) => name.endsWith('.json'))
  .sort()
  .map((name) => JSON.parse(readFileSync(`${directory}${name}`, 'utf8')) as Proof);

it('docs/proof.md says what the long suites counted', async () => {
  await expect(proofDocument(proofs)).toMatchFileSnapshot('../../docs/proof.md');
});

it('no suite that is told of failed', () => {
  expect(proofs.filter(({ failures }) => failures !== 0)).toEqual([]);
});
