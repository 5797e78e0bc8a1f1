/** What kind of database a seed stands for. */
export interface Shape {
  readonly seed: number;
  readonly pageBytes: number;
  readonly encoding: 'UTF-8' | 'UTF-16le' | 'UTF-16be';
  readonly autoVacuum: 'NONE' | 'FULL' | 'INCREMENTAL';
  /** False: nothing was written between the snapshot and the damage. */
  readonly written: boolean;
}

const PAGE_BYTES = [4096, 1024, 512, 8192, 4096, 16_384, 65_536, 2048, 32_768, 4096];
const ENCODINGS = ['UTF-8', 'UTF-8', 'UTF-16le', 'UTF-8', 'UTF-16be'] as const;
const AUTO_VACUUM = ['NONE', 'NONE', 'INCREMENTAL', 'NONE', 'NONE', 'FULL', 'NONE'] as const;

/** @param seed from 0; the lists are of different lengths, so that their entries meet in many ways */
export function shapeOf(seed: number, written: boolean): Shape {
  return {
    seed,
    pageBytes: PAGE_BYTES[seed % PAGE_BYTES.length]!,
    encoding: ENCODINGS[seed % ENCODINGS.length]!,
    autoVacuum: AUTO_VACUUM[seed % AUTO_VACUUM.length]!,
    written,
  };
}

export function describeShape(shape: Shape): string {
  const { seed, pageBytes, encoding, autoVacuum, written } = shape;
  const since = written ? 'written since' : 'nothing written since';
  return `seed ${seed}: pages of ${pageBytes}, ${encoding}, auto_vacuum ${autoVacuum}, ${since}`;
}
