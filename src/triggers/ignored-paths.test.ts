import { describe, expect, it } from 'vitest';
import { ignoredPaths } from './ignored-paths.ts';
import { sourceSettings } from './testing/source-settings.ts';

describe('ignoredPaths()', () => {
  const source = {
    ...sourceSettings('/srv/app'),
    roots: [
      { class: 'data', name: null, path: '/srv/app', required: true },
      { class: 'config', name: null, path: '/srv/app/etc', required: true },
    ],
    exclude: ['data/cache/**', 'data/etc/**', '**/*.tmp'],
  } as const;
  const isIgnored = ignoredPaths(source, ['/srv/app/backup']);

  it.each([
    ['/srv/app', false],
    ['/srv/app/db', false],
    ['/srv/app/cache', true],
    ['/srv/app/cache/.deep/er', true],
    ['/srv/app/cached', false],
    ['/srv/app/backup', true],
    ['/srv/app/backup/packs', true],
    ['/srv/app/backups', false],
    ['/srv/app/sub/.x.tmp', true],
    // The patterns for the outer root say nothing of the inner one.
    ['/srv/app/etc', false],
    ['/srv/app/etc/deep', false],
    ['/elsewhere', false],
  ])('%s: %s', (path, expected) => {
    expect(isIgnored(path)).toBe(expected);
  });
});
