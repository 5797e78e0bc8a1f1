import { isoTime } from '../../kernel/clock.ts';
import { cannot } from '../../kernel/errors.ts';
import { MANIFEST_SUFFIX } from './manifest.ts';

/** Names in a store. They become paths, so everything but plain names is refused. */

export const PAYLOAD_SUFFIX = '.snap';
const NAME_CHARACTERS_MAX = 400;
const NAME = /^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,99}\/)*[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** `snapshots/20260102-030405-0123456789ab.snap` */
export function referenceOf(prefix: string, checksum: string, nowMs: number): string {
  const [day, time] = isoTime(nowMs).replace(/[-:]/g, '').split('T') as [string, string];
  const hash = checksum.slice('sha256:'.length, 'sha256:'.length + 12);
  return `${prefix}${day}-${time.slice(0, 6)}-${hash}${PAYLOAD_SUFFIX}`;
}

/** Its directories and its last part. @throws PATH_UNSAFE */
export function partsOfName(name: string): string[] {
  if (name.length <= NAME_CHARACTERS_MAX && NAME.test(name)) return name.split('/');
  throw cannot('PATH_UNSAFE', 'use store name', name.slice(0, 200), 'it is no plain name', {
    hint: 'Names are of letters, digits, dot, underscore and hyphen, with slashes between: snapshots/latest.',
  });
}

/** True for references, false for aliases. */
export const isReference = (name: string): boolean => name.endsWith(PAYLOAD_SUFFIX);

/** @throws PATH_UNSAFE for what is no name, or could be taken for a reference or a manifest */
export function checkAlias(name: string): string[] {
  const parts = partsOfName(name);
  if (!isReference(name) && !name.endsWith(MANIFEST_SUFFIX)) return parts;
  throw cannot('PATH_UNSAFE', 'use alias', name, `it ends like an artifact's own files`, {
    hint: 'Choose a name such as snapshots/latest.',
  });
}
