import { describe, expect, it } from 'vitest';
import type { ManifestDatabase } from '../store/manifests/manifest.ts';
import { provenDatabases } from './proven-databases.ts';

const database = (path: string, level: 'quick' | 'full', ok: boolean): ManifestDatabase =>
  ({ path, check: { level, ok } }) as ManifestDatabase;

describe('provenDatabases()', () => {
  it('a check of capture stands for one of a restore that looks no deeper, and only if it passed', () => {
    const manifest = {
      databases: [
        database('data/quick.db', 'quick', true),
        database('data/full.db', 'full', true),
        database('data/damaged.db', 'full', false),
      ],
    };
    expect([...provenDatabases(manifest, 'quick')]).toEqual(['data/quick.db', 'data/full.db']);
    expect([...provenDatabases(manifest, 'full')]).toEqual(['data/full.db']);
  });
});
