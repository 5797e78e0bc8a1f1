import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listPacks } from '../catalog/load-packs.ts';
import { layoutOf, packDirectory, packPath } from '../layout.ts';
import { allFiles, encryptedRepository } from '../testing/encrypted-repository.ts';
import { EncryptedSnapshots, IMAGES } from '../testing/encrypted-snapshots.ts';
import { commitFile } from '../testing/scratch-repository.ts';

let fixture: EncryptedSnapshots;
beforeAll(async () => {
  fixture = await EncryptedSnapshots.create();
});
afterAll(() => fixture.dispose());

describe('whoever may write the files, but has no key', () => {
  it('cannot exchange the manifests or the notes of two snapshots, nor one for the other', async () => {
    const [one, two] = fixture.snapshots.map(({ id }) => id);
    const exchange = async (copy: string, left: string, right: string): Promise<void> => {
      const [a, b] = [await readFile(join(copy, left)), await readFile(join(copy, right))];
      await writeFile(join(copy, left), b);
      await writeFile(join(copy, right), a);
    };
    await fixture.withCopy(async (copy) => {
      await exchange(copy, `snapshots/${one}.json`, `snapshots/${two}.json`);
      const report = await fixture.check(copy);
      expect(report.findings.filter(({ code }) => code === 'SNAPSHOT_DAMAGED')).toHaveLength(2);
      expect(await fixture.neverWrong(copy)).toEqual({ right: 0, refused: 2 });
    });
    await fixture.withCopy(async (copy) => {
      await exchange(copy, `notes/${one}.json`, `notes/${two}.json`);
      const report = await fixture.check(copy);
      expect(report.findings.filter(({ code }) => code === 'NOTES_DAMAGED')).toHaveLength(2);
      const reader = await fixture.open(copy);
      // Damaged notes count as a pin: no policy removes what they are of.
      expect(reader.listSnapshots().map(({ pinned }) => pinned)).toEqual([true, true]);
      reader.close();
    });
    await fixture.withCopy(async (copy) => {
      await exchange(copy, `notes/${one}.json`, `snapshots/${one}.json`);
      const codes = (await fixture.check(copy)).findings.map(({ code }) => code);
      expect(codes).toEqual(expect.arrayContaining(['SNAPSHOT_DAMAGED', 'NOTES_DAMAGED']));
    });
  });

  it('cannot exchange the content of two records of one length', async () => {
    const layout = layoutOf(fixture.path);
    for (const name of await listPacks(layout)) {
      const bytes = await readFile(packPath(layout, name));
      const headers: number[] = [];
      for (let at = bytes.indexOf('HFrc'); at !== -1; at = bytes.indexOf('HFrc', at + 1)) {
        headers.push(at);
      }
      const lengthAt = (at: number): number => bytes.readUInt32LE(at + 12);
      const pair = headers
        .flatMap((left) => headers.map((right) => [left, right] as const))
        .find(([left, right]) => left < right && lengthAt(left) === lengthAt(right));
      if (pair === undefined) continue;
      const [left, right] = pair.map((at) => at + 84) as [number, number];
      const changed = Buffer.from(bytes);
      bytes.copy(changed, left, right, right + lengthAt(pair[1]));
      bytes.copy(changed, right, left, left + lengthAt(pair[0]));
      await fixture.withCopy(async (copy) => {
        await writeFile(packPath(layoutOf(copy), name), changed);
        const codes = (await fixture.check(copy)).findings.map(({ code }) => code);
        expect(codes).toEqual(expect.arrayContaining(['PACK_DAMAGED', 'OBJECT_DAMAGED']));
        expect((await fixture.neverWrong(copy)).refused).toBeGreaterThan(0);
      });
      return;
    }
    throw new Error('no two records of one length');
  });

  it('cannot have a record taken for another kind, codec, length, id or base, nor for one that is not encrypted', async () => {
    const layout = layoutOf(fixture.path);
    const places: Record<string, number> = {
      type: 4,
      kind: 5,
      codec: 6,
      flags: 7,
      plainBytes: 8,
      id: 20,
      base: 60,
    };
    for (const name of await listPacks(layout)) {
      const bytes = await readFile(packPath(layout, name));
      for (const [what, place] of Object.entries(places)) {
        const changed = Buffer.from(bytes);
        const at = changed.indexOf('HFrc');
        changed[at + place]! ^= 1;
        // As who knows the format would: the checksum of the header is right again.
        changed.writeUInt32LE(crc32(changed.subarray(at, at + 80)), at + 80);
        await fixture.withCopy(async (copy) => {
          await writeFile(packPath(layoutOf(copy), name), changed);
          const codes = (await fixture.check(copy)).findings.map(({ code }) => code);
          expect(codes, what).toEqual(expect.arrayContaining(['PACK_DAMAGED', 'OBJECT_DAMAGED']));
          await fixture.neverWrong(copy);
          // Nor where the index is gone too, so that all there is are the records.
          const torn = changed.subarray(0, changed.length - 64);
          await writeFile(packPath(layoutOf(copy), name), torn);
          await (await fixture.writer(copy)).close();
          await fixture.neverWrong(copy);
        });
      }
    }
  });

  it('cannot put a pack of another repository, another pack, or a cut one in the place of a pack', async () => {
    const other = await encryptedRepository();
    const writing = await fixture.writer(other.path);
    await commitFile(writing, IMAGES[0]);
    await writing.close();
    const foreign = (await listPacks(layoutOf(other.path)))[0]!;
    const foreignBytes = await readFile(packPath(layoutOf(other.path), foreign));
    const layout = layoutOf(fixture.path);
    const [a, b] = await listPacks(layout);
    const [bytesOfA, bytesOfB] = [
      await readFile(packPath(layout, a!)),
      await readFile(packPath(layout, b!)),
    ];
    const replacements: [string, Buffer][] = [
      [a!, foreignBytes],
      [a!, bytesOfB],
      [b!, bytesOfA],
      [a!, bytesOfA.subarray(0, bytesOfA.length - 70)],
      [a!, bytesOfA.subarray(0, bytesOfA.length >> 1)],
      [a!, Buffer.alloc(0)],
    ];
    for (const [name, bytes] of replacements) {
      await fixture.withCopy(async (copy) => {
        await writeFile(packPath(layoutOf(copy), name), bytes);
        expect(await fixture.check(copy)).toMatchObject({ ok: false });
        await fixture.neverWrong(copy);
      });
    }
    // Added under its own name, it says whose it is.
    await fixture.withCopy(async (copy) => {
      const target = layoutOf(copy);
      await mkdir(packDirectory(target, foreign), { recursive: true });
      await writeFile(packPath(target, foreign), foreignBytes);
      const report = await fixture.check(copy);
      expect(report.findings.map(({ code }) => code)).toContain('PACK_DAMAGED');
      expect(await fixture.neverWrong(copy)).toEqual({ right: 2, refused: 0 });
    });
    await other.dispose();
  });

  it('cannot take a record out of an index: who has no key cannot seal another one', async () => {
    const layout = layoutOf(fixture.path);
    const name = (await listPacks(layout))[0]!;
    const bytes = await readFile(packPath(layout, name));
    // What would do in a repository that is not encrypted: the checksum worked out anew.
    const footerOffset = Number(bytes.readBigUInt64LE(bytes.length - 64));
    bytes[footerOffset + 20]! ^= 1;
    const trailer = bytes.length - 64;
    createHash('sha256')
      .update(bytes.subarray(0, 32))
      .update(bytes.subarray(footerOffset, trailer))
      .update(bytes.subarray(trailer, trailer + 16))
      .digest()
      .copy(bytes, trailer + 16);
    await fixture.withCopy(async (copy) => {
      await writeFile(packPath(layoutOf(copy), name), bytes);
      const codes = (await fixture.check(copy)).findings.map(({ code }) => code);
      expect(codes).toContain('PACK_DAMAGED');
    });
  });

  it('whatever byte of whatever file they change: right content or a refusal, never other content', async () => {
    await fixture.withCopy(async (copy) => {
      const files = (await allFiles(copy)).filter(({ path: file }) =>
        /packs|snapshots|keys/.test(file),
      );
      for (let round = 0; round < 60; round += 1) {
        const { path: file, bytes } = files[round % files.length]!;
        const changed = Buffer.from(bytes);
        const at = randomBytes(4).readUInt32LE() % changed.length;
        changed[at]! ^= 1 << (round % 8);
        await writeFile(file, changed);
        await fixture.neverWrong(copy);
        await writeFile(file, bytes);
      }
      expect(await fixture.neverWrong(copy)).toEqual({ right: 2, refused: 0 });
    });
  });

  it('cannot have one snapshot listed as another: a summary that does not open is read from the manifest', async () => {
    await fixture.withCopy(async (copy) => {
      const catalog = new Database(join(copy, 'catalog.db'));
      const [a, b] = catalog.prepare('SELECT id, summary FROM snapshots').all() as {
        id: Buffer;
        summary: string;
      }[];
      const put = catalog.prepare('UPDATE snapshots SET summary = ? WHERE id = ?');
      put.run(b!.summary, a!.id);
      put.run('{}', b!.id);
      catalog.close();
      const reader = await fixture.open(copy);
      const listed = reader.listSnapshots().map(({ id, capturedAt }) => [id, capturedAt]);
      reader.close();
      const sound = await fixture.open();
      expect(listed).toEqual(sound.listSnapshots().map(({ id, capturedAt }) => [id, capturedAt]));
      sound.close();
    });
  });
});
