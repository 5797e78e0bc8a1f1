import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { cannot } from '../kernel/errors.ts';

/** The other programs of this installation. Bundled, this file is in `dist/cli/`; as source, in `src/cli/`. */
const PLACES = ['../', '../../dist/'] as const;

/** Absolute path of `dist/<name>.js`. @throws INTERNAL when the installation lacks it */
export function programPath(name: 'daemon' | 'worker'): string {
  const candidates = PLACES.map((place) =>
    fileURLToPath(new URL(`${place}${name}.js`, import.meta.url)),
  );
  const found = candidates.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw cannot('INTERNAL', 'find program', candidates[0]!, 'the installation is incomplete', {
    hint: 'Install Holdfast again, or run npm run build in its source.',
  });
}
