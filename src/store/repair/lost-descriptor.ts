import { existsSync } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../kernel/errors.ts';
import { listPacks } from '../catalog/load-packs.ts';
import { isSuperseded } from '../conversion/folders.ts';
import {
  DATA_FOLDER,
  type Descriptor,
  ENCRYPTION_SCHEME,
  newDescriptor,
} from '../format/descriptor.ts';
import { decodePackHeader, PACK_HEADER_BYTES } from '../format/pack-layout.ts';
import { readDescriptor } from '../format/read-descriptor.ts';
import { type Layout, layoutOf, packPath } from '../layout.ts';

const PACKS_ASKED_MAX = 1000;

/**
 * What the repository is, by its `holdfast.json`, or where that is damaged, gone, or of another repository, by what
 * all of its packs say. @throws what reading `holdfast.json` throws, where packs do not agree or are not there
 */
export async function descriptorOrRebuilt(
  path: string,
): Promise<{ descriptor: Descriptor; isRebuilt: boolean }> {
  const read = await readDescriptor(layoutOf(path)).catch((error: unknown) => {
    if (error instanceof HoldfastError) return error;
    throw error;
  });
  const folder = read instanceof HoldfastError ? await folderOfData(path) : read.folder;
  const told = await ownerByPacks(layoutOf(path, folder));
  if (told === null) {
    if (read instanceof HoldfastError) throw read;
    return { descriptor: read, isRebuilt: false };
  }
  const rebuilt: Descriptor = {
    ...newDescriptor(told.repositoryId, told.isEncrypted ? ENCRYPTION_SCHEME : null),
    ...(folder === undefined ? {} : { folder }),
  };
  if (read instanceof HoldfastError) return { descriptor: rebuilt, isRebuilt: true };
  const agrees = read.id === rebuilt.id && (read.encryption !== null) === told.isEncrypted;
  return agrees ? { descriptor: read, isRebuilt: false } : { descriptor: rebuilt, isRebuilt: true };
}

/** The folder of a converted repository that nothing has taken the place of; undefined: the data stand at the top. */
async function folderOfData(path: string): Promise<string | undefined> {
  if (existsSync(layoutOf(path).packs) && !isSuperseded(path)) return undefined;
  const folders = (await readdir(path)).filter(
    (name) => DATA_FOLDER.test(name) && !isSuperseded(join(path, name)),
  );
  return folders.length === 1 ? folders[0] : undefined;
}

/** Null where fewer than two thirds of the packs say the same. */
async function ownerByPacks(layout: Layout) {
  const names = await listPacks(layout).catch(() => []);
  const votes = new Map<string, number>();
  let asked = 0;
  for (const name of names.slice(0, PACKS_ASKED_MAX)) {
    const owner = await headerOf(packPath(layout, name));
    asked += 1;
    if (owner === null) continue;
    const vote = `${owner.repositoryId} ${owner.isEncrypted}`;
    votes.set(vote, (votes.get(vote) ?? 0) + 1);
  }
  const [first] = [...votes].sort(([, left], [, right]) => right - left);
  if (first === undefined || first[1] * 3 < asked * 2) return null;
  const [repositoryId, isEncrypted] = first[0].split(' ');
  return { repositoryId: repositoryId!, isEncrypted: isEncrypted === 'true' };
}

async function headerOf(path: string) {
  const handle = await open(path, 'r');
  try {
    const header = Buffer.alloc(PACK_HEADER_BYTES);
    await handle.read(header, 0, PACK_HEADER_BYTES, 0);
    return decodePackHeader(header);
  } finally {
    await handle.close();
  }
}
