import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { utimeSeconds } from './entry-identity.ts';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-times-'));
const path = join(directory, 'file');
writeFileSync(path, '');
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it('gives a file any time back to the microsecond, also one before 1970', () => {
  // From the first that ext4 can note, 1901, to the last that a double tells by microseconds, 2106.
  const [min, max] = [-2_147_483_000n, 4_294_967_000n].map((each) => each * 1_000_000_000n);
  fc.assert(
    fc.property(fc.bigInt({ min: min!, max: max! }), (mtimeNs) => {
      const seconds = utimeSeconds(String(mtimeNs));
      utimesSync(path, seconds, seconds);
      const set = statSync(path, { bigint: true }).mtimeNs;
      expect(set / 1000n).toBe(mtimeNs / 1000n);
    }),
    { examples: [[-1n], [-1_000n], [-1_500n], [-86_400_500_000_000n], [0n], [999n]] },
  );
});
