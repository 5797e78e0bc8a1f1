import { describe, expect, it } from 'vitest';
import {
  compatibilityOf,
  pendingSteps,
  requireCompatible,
  requireTarget,
  stepsToUndo,
} from './plan-steps.ts';
import { interpretVersion } from './schema-version.ts';
import type { Step, StepSet } from './step.ts';

function setOf(versions: readonly string[], lasting: readonly string[] = []): StepSet {
  const way = { file: '/x', kind: 'sql', checksum: '', text: '' } as const;
  const steps = versions.map((version, index): Step => {
    const down = lasting.includes(version) ? null : way;
    return { version, name: 'x', number: index + 1, up: way, down };
  });
  return { directory: '/', steps };
}
const set = setOf(['1.0.0-rc.1', '1.0.0', '1.9.0', '1.10.0']);
const versions = (steps: readonly Step[]): string[] => steps.map(({ version }) => version);

describe('which steps', () => {
  it('Z-83: are pending: past the current version, up to the target; what is no version is an error', () => {
    expect(versions(pendingSteps(set, '0.0.0', '1.10.0'))).toEqual(versions(set.steps));
    expect(versions(pendingSteps(set, '1.0.0', '1.9.0'))).toEqual(['1.9.0']);
    expect(versions(pendingSteps(set, '1.0.0-rc.1', '1.0.0'))).toEqual(['1.0.0']);
    expect(versions(pendingSteps(set, '1.5.0', '99.0.0'))).toEqual(['1.9.0', '1.10.0']);
    expect(pendingSteps(set, '1.10.0', '1.10.0')).toEqual([]);
    expect(pendingSteps(set, '1.10.0', '1.0.0')).toEqual([]);
    for (const [current, target] of [
      ['x', '1.0.0'],
      ['1.0.0', '1.0'],
      ['', '1.0.0'],
    ] as const) {
      expect(() => pendingSteps(set, current, target)).toThrow(/semantic version/);
    }
    expect(() => requireTarget(set, '1.2.0')).toThrow(/no step/);
    requireTarget(set, '0.0.0');
  });

  it('Z-85, Z-D23: are undone: newest first, past the target; one that cannot be undone refuses all of them', () => {
    expect(versions(stepsToUndo(set, '1.10.0', '1.0.0'))).toEqual(['1.10.0', '1.9.0']);
    expect(stepsToUndo(set, '1.0.0', '1.0.0')).toEqual([]);
    expect(stepsToUndo(set, '1.0.0', '1.9.0')).toEqual([]);
    expect(stepsToUndo(set, '0.0.0', '0.0.0')).toEqual([]);
    const lasting = setOf(['1.0.0', '1.9.0', '1.10.0'], ['1.9.0']);
    expect(() => stepsToUndo(lasting, '1.10.0', '1.0.0')).toThrow(/1\.9\.0_x cannot be undone/);
    expect(versions(stepsToUndo(lasting, '1.10.0', '1.9.0'))).toEqual(['1.10.0']);
  });
});

describe('how a backup stands to the steps of today', () => {
  const of = (found: unknown) => compatibilityOf('data/app.db', interpretVersion(found, set), set);

  it('Z-30, Z-87: equal, older with the steps that it needs, or newer, by its own version', () => {
    expect(of(4)).toEqual({
      database: 'data/app.db',
      backupVersion: '1.10.0',
      currentVersion: '1.10.0',
      compatible: true,
      requiresMigration: false,
      migrationsNeeded: 0,
      migrationVersions: [],
      message: 'data/app.db is at 1.10.0',
    });
    expect(of('1.0.0')).toMatchObject({
      backupVersion: '1.0.0',
      compatible: true,
      requiresMigration: true,
      migrationsNeeded: 2,
      migrationVersions: ['1.9.0', '1.10.0'],
    });
    expect(of('1.11.0')).toMatchObject({ backupVersion: '1.11.0', compatible: false });
    expect(of(5)).toMatchObject({
      backupVersion: '5',
      compatible: false,
      requiresMigration: false,
    });
  });

  it('C-D6: a newer one is SCHEMA_TOO_NEW; an unknown one is an error of its own', () => {
    expect(() => requireCompatible('restore', of(5))).toThrow(
      expect.objectContaining({ code: 'SCHEMA_TOO_NEW' }),
    );
    for (const found of ['seven', 1.5, -1, Buffer.from('x')]) {
      const compatibility = of(found);
      expect(compatibility).toMatchObject({ backupVersion: null, compatible: false });
      expect(() => requireCompatible('restore', compatibility)).toThrow(
        expect.objectContaining({ code: 'INVALID_PARAMS' }),
      );
    }
    requireCompatible('restore', of(2));
  });
});
