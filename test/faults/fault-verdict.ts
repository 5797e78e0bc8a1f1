import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { quietActivity } from '../../src/kernel/activity.ts';
import type { ErrorCode } from '../../src/kernel/errors.ts';
import { repositoryKey } from '../../src/operations/repository-key.ts';
import { checkRepository, openReader, verifySnapshot } from '../../src/store/repository.ts';
import type { StoreReader } from '../../src/store/store.ts';
import { filesIn } from '../support/tree.ts';
import type { FaultCode } from './fault-injector.ts';
import type { FaultPlace } from './fault-place.ts';

/** What must hold after any fault. Each function returns what does not, in words. */

async function reading<T>(place: FaultPlace, use: (reader: StoreReader) => Promise<T> | T) {
  const key = await repositoryKey(place.settings);
  const reader = await openReader(place.settings.repositoryDirectory, key);
  try {
    return await use(reader);
  } finally {
    reader.close();
  }
}

/** Newest first; none where there is no repository. */
export async function listedSnapshots(place: FaultPlace): Promise<string[]> {
  if (!existsSync(join(place.settings.repositoryDirectory, 'holdfast.json'))) return [];
  return reading(place, (reader) => reader.listSnapshots().map(({ id }) => id));
}

/** Every snapshot that is listed verifies deeply, and the repository as a whole is sound. */
export async function unsoundSnapshots(place: FaultPlace): Promise<string[]> {
  const { repositoryDirectory } = place.settings;
  if (!existsSync(join(repositoryDirectory, 'holdfast.json'))) return [];
  const bad = await reading(place, async (reader) => {
    const found: string[] = [];
    for (const { id } of reader.listSnapshots()) {
      const result = await verifySnapshot(reader, id, { deep: true }, quietActivity());
      if (!result.ok) found.push(`snapshot ${id}: ${JSON.stringify(result.findings)}`);
    }
    return found;
  });
  return bad;
}

export async function unsoundRepository(place: FaultPlace): Promise<string[]> {
  const { repositoryDirectory } = place.settings;
  if (!existsSync(join(repositoryDirectory, 'holdfast.json'))) return [];
  const key = await repositoryKey(place.settings);
  const { findings } = await checkRepository(
    repositoryDirectory,
    { readData: 'all', key },
    quietActivity(),
  );
  return findings
    .filter(({ severity }) => severity === 'error')
    .map((finding) => `check: ${JSON.stringify(finding)}`);
}

const TEMPORARY = /\.tmp$|\.holdfast-|\.partial$|-import-|\.part$/;

/** What work leaves that did not end: none of it may stay once the next work has. */
export function leftovers(place: FaultPlace): string[] {
  const { repositoryDirectory, stateDirectory } = place.settings;
  const inProgress = [
    ...filesIn(join(repositoryDirectory, 'tmp')),
    ...(['scratch', 'staging', 'swaps', 'stopped-services'] as const).flatMap((name) =>
      filesIn(join(stateDirectory, name))
        .filter((file) => !file.startsWith('lock.db'))
        .map((file) => join(name, file)),
    ),
  ];
  const strays = [place.at(), place.elsewhere]
    .flatMap((directory) => (existsSync(directory) ? namesBelow(directory) : []))
    .filter((name) => TEMPORARY.test(name));
  const scratch = join(stateDirectory, 'scratch');
  const scratches = existsSync(scratch) ? readdirSync(scratch) : [];
  return [...inProgress, ...strays, ...scratches].map((name) => `left over: ${name}`);
}

const namesBelow = (directory: string): string[] =>
  readdirSync(directory, { recursive: true }) as string[];

const ROOM: ReadonlySet<FaultCode> = new Set(['ENOSPC', 'EDQUOT', 'SHORT_WRITE']);

/** The code that says what happened, so that an operator knows what to do about it. */
export function expectedCode(code: FaultCode): ErrorCode {
  return ROOM.has(code) ? 'NO_SPACE' : 'IO_ERROR';
}
