import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readStepSet } from './step-set.ts';
import { ORDER_STEPS, writeSteps } from './testing/step-files.ts';

let home: string;
let directory: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'holdfast-steps-'));
  directory = join(home, 'steps');
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const read = (files: Readonly<Record<string, string>>) => readStepSet(writeSteps(directory, files));
const refused = (files: Readonly<Record<string, string>>, message: RegExp) =>
  expect(read(files)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(message),
  });

describe('a directory of steps', () => {
  it('Z-32, Z-81, F36: is read in the order of versions, with what each step is and how it is undone', async () => {
    const { steps } = await read({ ...ORDER_STEPS, 'README.md': 'not a step' });
    expect(steps.map(({ version, name, number }) => [version, name, number])).toEqual([
      ['1.0.0', 'tables', 1],
      ['1.9.0', 'state', 2],
      ['1.10.0', 'names', 3],
    ]);
    expect(steps.map(({ up, down }) => [up.kind, down?.kind])).toEqual([
      ['sql', 'sql'],
      ['sql', 'sql'],
      ['module', 'module'],
    ]);
    expect(steps[0]!.up.checksum).toMatch(/^[0-9a-f]{64}$/);
  });

  it('Z-82: has no steps of its own in it: an empty one is no migration at all', async () => {
    expect((await read({})).steps).toEqual([]);
  });

  it('Z-81: refuses what is no semantic version, and a version that stands twice, naming the file', async () => {
    for (const name of [
      '1.0_a.up.sql',
      'v1.0.0_a.up.sql',
      '01.0.0_a.up.sql',
      '_a.up.sql',
      'a.mjs',
    ]) {
      await refused({ [name]: '' }, new RegExp(name.replaceAll('.', '\\.')));
    }
    await refused({ '0.0.0_a.up.sql': '' }, /0\.0\.0/);
    await refused({ '1.0.0_a.up.sql': '', '1.0.0_b.up.sql': '' }, /1\.0\.0_b\.up\.sql/);
    await refused({ '1.0.0+x_a.up.sql': '', '1.0.0+y_a.up.sql': '' }, /same version/);
    await refused({ '1.0.0_a.up.sql': '', '1.0.0_a.mjs': '' }, /same version/);
    await refused({ '1.0.0_a.down.sql': '' }, /no \.up\.sql/);
    await refused({ '1.0.0_a b.up.sql': '' }, /no name/);
  });

  it('numbers its steps by what they set user_version to; all of them do, or none', async () => {
    const { steps } = await read({
      '1.0.0_a.up.sql': 'PRAGMA user_version = 4;',
      '1.1.0_b.up.sql': 'PRAGMA main.user_version(10)',
      '2.0.0_c.mjs': 'export const userVersion = 12;\nexport function up() {}',
    });
    expect(steps.map(({ number }) => number)).toEqual([4, 10, 12]);
    expect(steps.map(({ down }) => down)).toEqual([null, null, null]);
    await refused(
      { '1.0.0_a.up.sql': 'PRAGMA user_version = 4;', '1.1.0_b.up.sql': 'SELECT 1' },
      /1\.1\.0_b/,
    );
    await refused(
      { '1.0.0_a.up.sql': 'PRAGMA user_version = 4', '1.1.0_b.up.sql': 'PRAGMA user_version = 4' },
      /no more than/,
    );
  });

  it('F36: refuses a directory or file that others may write, and symlinks, since what stands there is run', async () => {
    writeSteps(directory, ORDER_STEPS);
    const trusts = (path: string) =>
      expect(readStepSet(path)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    chmodSync(directory, 0o775);
    await trusts(directory);
    chmodSync(directory, 0o757);
    await trusts(directory);
    chmodSync(directory, 0o755);
    chmodSync(join(directory, '1.0.0_tables.up.sql'), 0o666);
    await trusts(directory);
    chmodSync(join(directory, '1.0.0_tables.up.sql'), 0o644);
    await readStepSet(directory);
    chmodSync(home, 0o777);
    await trusts(directory);
    chmodSync(home, 0o700);
    symlinkSync(directory, join(home, 'link'));
    await expect(readStepSet(join(home, 'link'))).rejects.toMatchObject({
      code: 'NOT_A_DIRECTORY',
    });
    writeFileSync(join(home, 'other'), '');
    symlinkSync(join(home, 'other'), join(directory, '9.0.0_link.up.sql'));
    await expect(readStepSet(directory)).rejects.toMatchObject({ code: 'IO_ERROR' });
    await expect(readStepSet(join(home, 'none'))).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
  });
});
