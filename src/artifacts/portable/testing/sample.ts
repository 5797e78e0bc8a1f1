import { type ArtifactFacts, sha256Of } from '../manifest.ts';

/** A manifest of a payload, for tests: every member as it may well be. */
export function sampleFacts(payload: string, changes: Partial<ArtifactFacts> = {}): ArtifactFacts {
  return {
    format: 1,
    kind: 'sqlite.database',
    payloadFormat: 'sqlite-file',
    checksum: sha256Of(payload),
    bytes: Buffer.byteLength(payload),
    modelVersion: 1,
    schemaVersion: 3,
    migrationVersion: '0003',
    cursor: '18446744073709551615',
    toolVersion: '1.2.3',
    createdAt: '2026-01-02T03:04:05.000Z',
    capturedAt: '2026-01-02T03:04:04.000Z',
    source: { id: 'app', name: 'app' },
    snapshotId: 'ab'.repeat(32),
    database: 'data/app.db',
    pragmas: {
      userVersion: 3,
      applicationId: 0,
      pageBytes: 4096,
      encoding: 'UTF-8',
      autoVacuum: 'none',
    },
    tables: [{ name: 'notes', rows: 2 }],
    foreignKeyViolations: 0,
    ...changes,
  };
}

export async function* piecesOf(...pieces: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece);
}
