import { describe, expect, it } from 'vitest';
import { compareVersions, isSemanticVersion } from './semantic-version.ts';

describe('semantic versions', () => {
  it('Z-81: come in the order of semver.org, pre-releases before their release, 1.10.0 after 1.9.0', () => {
    const ordered = [
      '0.9.9',
      '1.0.0-alpha',
      '1.0.0-alpha.1',
      '1.0.0-alpha.beta',
      '1.0.0-beta',
      '1.0.0-beta.2',
      '1.0.0-beta.11',
      '1.0.0-rc.1',
      '1.0.0',
      '1.9.0',
      '1.10.0',
      '10.0.0',
      '90071992547409930.0.0',
      '90071992547409931.0.0',
    ];
    for (const [index, left] of ordered.entries()) {
      for (const [other, right] of ordered.entries()) {
        expect(Math.sign(compareVersions(left, right))).toBe(Math.sign(index - other));
      }
    }
    expect(compareVersions('1.0.0+a', '1.0.0+b')).toBe(0);
  });

  it('Z-81: what is none is never compared as text', () => {
    for (const text of ['1', '1.0', 'v1.0.0', '01.0.0', '1.0.0-', '1.0.0-01', '', '1.0.0 ']) {
      expect(isSemanticVersion(text)).toBe(false);
      expect(() => compareVersions(text, '1.0.0')).toThrow(RangeError);
    }
  });
});
