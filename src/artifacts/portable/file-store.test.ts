import { existsSync, readdirSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countSteps, dieAtStep } from '../../files/testing/dying-process.ts';
import { quietActivity } from '../../kernel/activity.ts';
import { FileArtifactStore } from './file-store.ts';
import { sealManifest } from './manifest.ts';
import { openArtifactStore } from './open-store.ts';
import { referenceOf } from './reference.ts';
import { piecesOf, sampleFacts } from './testing/sample.ts';

let directory: string;
let store: FileArtifactStore;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'store-'));
  store = new FileArtifactStore(join(directory, 'store'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const manifestOf = (payload: string) => sealManifest(sampleFacts(payload), null);
const refOf = (payload: string, atMs = AT_MS): string =>
  referenceOf('snapshots/', manifestOf(payload).manifest.checksum, atMs);

function put(payload: string, ref = refOf(payload)) {
  return store.put(ref, piecesOf(payload), manifestOf(payload).text, quietActivity());
}

async function payloadOf(ref: string): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of (await store.get(ref)).payload()) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

describe('a file store', () => {
  it('C-17, C-19, F19: keeps artifacts by content-addressed references, privately; put again, they are there already', async () => {
    const ref = refOf('one');
    expect(ref).toMatch(/^snapshots\/20260102-030405-[0-9a-f]{12}\.snap$/);
    expect(await store.exists(ref)).toBe(false);
    expect(await put('one')).toBe('stored');
    expect(await put('one')).toBe('present');
    expect(await store.exists(ref)).toBe(true);
    expect(await payloadOf(ref)).toBe('one');
    expect((await store.get(ref)).manifestText).toBe(manifestOf('one').text);
    const folder = join(directory, 'store/snapshots');
    const modes = readdirSync(folder).map((name) => statSync(join(folder, name)).mode & 0o777);
    expect(modes).toEqual([0o600, 0o600]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it('C-19: what is not there is NOT_FOUND, another artifact under a reference that is taken is refused', async () => {
    await expect(store.get(refOf('none'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(store.readAlias('snapshots/latest')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await put('one');
    await expect(put('two', refOf('one'))).rejects.toMatchObject({ code: 'IN_USE' });
    expect(await payloadOf(refOf('one'))).toBe('one');
    await unlink(join(directory, 'store', refOf('one')));
    await expect(payloadOf(refOf('one'))).rejects.toMatchObject({ details: { gate: 'checksum' } });
  });

  it('C-19: an unknown backend is a clear error', () => {
    expect(() => openArtifactStore({ type: 's3', path: null }, directory)).toThrowError(
      expect.objectContaining({ code: 'CONFIG_INVALID', hint: expect.stringContaining('file') }),
    );
  });

  it('C-19: lists references newest first, whatever their prefix, with the aliases that stand for them', async () => {
    await put('a');
    await put('b', refOf('b', AT_MS + 1000));
    await put('c', refOf('c', AT_MS + 2000).replace('snapshots/', 'other/deep/'));
    await writeFile(join(directory, 'store/snapshots/orphan.snap'), 'no manifest');
    const all = await store.list();
    expect(all.map((ref) => ref.slice(ref.indexOf('2026'), ref.indexOf('-0')))).toHaveLength(3);
    expect(all[0]).toMatch(/^other\/deep\/20260102-030407/);
    expect(all.slice(1)).toEqual([refOf('b', AT_MS + 1000), refOf('a')]);
    const { digest } = manifestOf('a').manifest;
    await store.setAlias('snapshots/latest', { ref: refOf('a'), digest });
    await writeFile(join(directory, 'store/README'), 'no alias');
    expect([...(await store.aliases())]).toEqual([
      ['snapshots/latest', { ref: refOf('a'), digest }],
    ]);
  });

  it('C-19, F19: names that could leave the store, or lead through a symlink, are refused', async () => {
    const bad = [
      '../x.snap',
      '/x.snap',
      'a/../x.snap',
      'a//x.snap',
      '.hidden.snap',
      'a\\x.snap',
      'x\0.snap',
      'x',
    ];
    for (const ref of [...bad, `${'a/'.repeat(300)}x.snap`]) {
      await expect(store.get(ref), ref).rejects.toMatchObject({ code: 'PATH_UNSAFE' });
    }
    const target = { ref: refOf('a'), digest: `sha256:${'0'.repeat(64)}` };
    for (const alias of ['../latest', 'a.snap', 'a.manifest.json', '']) {
      await expect(store.setAlias(alias, target), alias).rejects.toMatchObject({
        code: 'PATH_UNSAFE',
      });
    }
    await mkdir(join(directory, 'elsewhere'));
    await mkdir(join(directory, 'store'));
    await symlink(join(directory, 'elsewhere'), join(directory, 'store/snapshots'));
    await expect(put('one')).rejects.toMatchObject({ code: 'PATH_UNSAFE' });
    expect(readdirSync(join(directory, 'elsewhere'))).toEqual([]);
  });

  it('C-D13: an alias that was tampered with is refused', async () => {
    await put('one');
    const path = join(directory, 'store/snapshots/latest');
    for (const text of [
      '',
      '{}',
      '{"format":1,"ref":"../../etc/passwd.snap","digest":"sha256:00"}',
      'x'.repeat(5000),
    ]) {
      await writeFile(path, text);
      await expect(store.readAlias('snapshots/latest'), text).rejects.toMatchObject({
        code: expect.stringMatching(/VERIFY_FAILED|LIMIT_EXCEEDED/),
      });
    }
  });

  it('C-D11, C-D13: killed at any step of a put or of an alias, a reader sees a whole artifact or none, and the old alias or the new one', async () => {
    await put('old');
    const old = { ref: refOf('old'), digest: manifestOf('old').manifest.digest };
    const publish = async (payload: string) => {
      const ref = refOf(payload, AT_MS + 1000);
      await put(payload, ref);
      await store.setAlias('snapshots/latest', {
        ref,
        digest: manifestOf(payload).manifest.digest,
      });
      return ref;
    };
    const steps = await countSteps(() => publish('measured'));
    for (let n = 1; n <= steps; n += 1) {
      for (const moment of ['before', 'after'] as const) {
        await store.setAlias('snapshots/latest', old);
        const payload = `payload ${n} ${moment}`;
        await dieAtStep(n, moment, () => publish(payload));
        const ref = refOf(payload, AT_MS + 1000);
        if (await store.exists(ref)) expect(await payloadOf(ref)).toBe(payload);
        else await expect(store.get(ref)).rejects.toMatchObject({ code: 'NOT_FOUND' });
        const alias = await store.readAlias('snapshots/latest');
        expect([old.ref, ref]).toContain(alias.ref);
        expect(await store.exists(alias.ref)).toBe(true);
        // Again, it is done as if nothing had happened.
        expect(await publish(payload)).toBe(ref);
        expect(await payloadOf(ref)).toBe(payload);
      }
    }
  });

  it('C-D11, C-21: a put that fails leaves no temporary file, and what a killed one left goes a day later', async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('half');
      throw new Error('the source broke');
    }
    const failed = store.put(refOf('x'), failing(), manifestOf('x').text, quietActivity());
    await expect(failed).rejects.toThrow('the source broke');
    const folder = join(directory, 'store/snapshots');
    expect(readdirSync(folder)).toEqual([]);
    const leftover = join(folder, '.x.snap.0123456789ab.tmp');
    await writeFile(leftover, 'half');
    await put('one');
    expect(existsSync(leftover)).toBe(true);
    await utimes(leftover, 1_000_000, 1_000_000);
    await put('two');
    expect(existsSync(leftover)).toBe(false);
  });
});
