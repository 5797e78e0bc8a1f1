import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rowsOf } from './rows.ts';

export interface Proof {
  /** Relative to the project. */
  readonly file: string;
  /** Without the ids in front. */
  readonly title: string;
}

/** String literals that are a title: first on their line, or the first argument of a call. */
const TITLE = /(?:^\s*|\()(['"`])((?:\\.|(?!\1)[^\\\n])+)\1,?/gm;

/** Every title in the project's tests that names rows, by row, in the order of files. */
export function proofsByRow(project: string): Map<string, Proof[]> {
  const proofs = new Map<string, Proof[]>();
  for (const file of testFiles(project)) {
    for (const [, , literal] of readFileSync(join(project, file), 'utf8').matchAll(TITLE)) {
      const rows = rowsOf(literal!);
      const title = literal!.slice(literal!.indexOf(': ') + 2).replaceAll(/\\(.)/g, '$1');
      for (const row of rows) proofs.set(row, [...(proofs.get(row) ?? []), { file, title }]);
    }
  }
  return proofs;
}

function testFiles(project: string): string[] {
  return ['src', 'test']
    .flatMap((directory) =>
      readdirSync(join(project, directory), { recursive: true, encoding: 'utf8' }).map((name) =>
        join(directory, name),
      ),
    )
    .filter((name) => name.endsWith('.test.ts'))
    .sort();
}
