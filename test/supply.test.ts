import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/** Promise: what is installed is what was chosen: exact versions, hashes, few packages, known install scripts. */

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
}

const read = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../${name}`, import.meta.url)), 'utf8');
const project = JSON.parse(read('package.json'));
const lock = JSON.parse(read('package-lock.json'));
const packages = Object.entries(lock.packages as Record<string, LockedPackage>).filter(
  ([path]) => path !== '',
);
const asked: Record<string, string> = {
  ...project.dependencies,
  ...project.optionalDependencies,
  ...project.devDependencies,
};

describe('what npm ci installs', () => {
  it('is asked for by exact versions, and locked at them', () => {
    for (const [name, version] of Object.entries(asked)) {
      expect(version, name).toMatch(/^\d+\.\d+\.\d+$/);
      expect(lock.packages[`node_modules/${name}`]?.version, name).toBe(version);
    }
  });

  it('has a hash for every package that runs, and no address that leads elsewhere than to the registry', () => {
    for (const [path, { integrity, resolved, link, dev, optional }] of packages) {
      expect(link, path).toBeUndefined();
      // Without one: binaries of development tools for platforms other than those the lock was made on.
      if (integrity !== undefined || !dev || !optional) expect(integrity, path).toMatch(/^sha512-/);
      if (resolved !== undefined)
        expect(resolved, path).toMatch(/^https:\/\/registry\.npmjs\.org\//);
    }
  });

  it('runs install scripts of no package but those that are named', () => {
    const withScripts = packages
      .filter(([, { hasInstallScript }]) => hasInstallScript === true)
      .map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length));
    // What is built on macOS alone, for watching files, is asked for by no program of ours.
    const allowed = new Set([...Object.keys(project.allowScripts), 'fsevents']);
    expect(withScripts.filter((name) => !allowed.has(name))).toEqual([]);
  });

  it('is justified: every direct dependency stands in the decision about them', () => {
    const decision = read('docs/decisions/0001-dependencies.md').toLowerCase();
    const unexplained = Object.keys(asked)
      .map((name) => name.replace(/^@types\/.*/, '').replace(/^@biomejs\//, ''))
      .filter((name) => name !== '' && !decision.includes(name.toLowerCase()));
    expect(unexplained).toEqual([]);
  });
});
