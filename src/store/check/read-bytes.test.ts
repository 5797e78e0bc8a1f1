import { expect, it } from 'vitest';
import { checkRepository } from '../repository.ts';
import {
  activity,
  commitFile,
  noiseBytes,
  scratchRepository,
  writerOf,
} from '../testing/scratch-repository.ts';

it('a check of all data counts the bytes of every pack that it read', async () => {
  const { path, dispose } = await scratchRepository();
  for (let count = 1; count <= 6; count += 1) {
    const writer = await writerOf(path);
    await commitFile(writer, noiseBytes(100_000 * count, count), null, count);
    await writer.close();
  }
  const { packs, packBytes, readBytes, packsRead } = await checkRepository(
    path,
    { readData: 'all' },
    activity,
  );
  expect(packs).toBe(6);
  expect(packsRead).toBe(6);
  expect(readBytes).toBe(packBytes);
  await dispose();
});
