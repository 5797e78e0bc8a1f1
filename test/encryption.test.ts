import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allFiles, findPlanted } from '../src/store/testing/encrypted-repository.ts';
import { BANK_TOTAL, readBank } from './support/bank.ts';
import { finished, restoreTo, snapshot, succeeded } from './support/jobs.ts';
import { Sandbox, stopChild } from './support/sandbox.ts';

/** Promise: whoever holds an encrypted repository without its key learns neither names nor content, and fools nobody. */

const PASSPHRASE = 'vierzehn-zahme-Waschbaeren';
const PLANTED = ['Fledermausgeschichte', 'kartoffelpuffer', 'Zahnradbahn-Rechnung'];

let sandbox: Sandbox;
let passphraseFile: string;
beforeEach(async () => {
  sandbox = new Sandbox();
  passphraseFile = join(sandbox.root, 'passphrase');
  await writeFile(passphraseFile, `${PASSPHRASE}\n`, { mode: 0o600 });
});
afterEach(() => sandbox.dispose());

async function configure(repositoryKey: Record<string, string> | null): Promise<void> {
  await sandbox.configure({ name: PLANTED[1]! }, repositoryKey === null ? {} : { repositoryKey });
  await mkdir(join(sandbox.data, PLANTED[2]!), { recursive: true });
  await writeFile(join(sandbox.data, PLANTED[2]!, `${PLANTED[0]}.txt`), PLANTED[0]!.repeat(200));
}

const stateOf = (directory: string) =>
  readdirSync(directory, { recursive: true })
    .map(String)
    .filter((name) => !name.startsWith('lock.db'))
    .sort()
    .map((name) => [name, statSync(join(directory, name)).size]);

/** Looks at every file of the repository again and again until it is told to stop. */
function watchFiles(directory: string): () => Promise<{ looks: number; found: string[] }> {
  let stopped = false;
  const found = new Set<string>();
  let looks = 0;
  const watching = (async () => {
    while (!stopped) {
      const files = await allFiles(directory).catch(() => []);
      for (const path of findPlanted(files, PLANTED)) found.add(path);
      looks += 1;
      await pause(5);
    }
  })();
  return async () => {
    stopped = true;
    await watching;
    return { looks, found: [...found] };
  };
}

describe('an encrypted repository', () => {
  it('takes snapshots of a running writer, restores, drills, checks, prunes; no file of it ever names anything, no place tells the passphrase', async () => {
    await configure({ passphraseFile });
    const daemon = await sandbox.start();
    const client = await sandbox.client();
    const bank = await sandbox.startBank(join(sandbox.data, 'app.db'), 'wal', 7);
    const stopWatching = watchFiles(sandbox.repository);
    const ids: string[] = [];
    for (let round = 0; round < 4; round += 1) {
      const result = await snapshot(client, { reason: PLANTED[0]!, tags: [PLANTED[1]!] });
      expect(result['good']).toBe(true);
      ids.push(result['snapshotId']);
    }
    const { looks, found } = await stopWatching();
    expect(looks).toBeGreaterThan(3);
    expect(found).toEqual([]);
    await stopChild(bank, 'SIGTERM');
    for (const id of ids) {
      const target = join(sandbox.root, `restored-${id.slice(0, 8)}`);
      await restoreTo(client, id, target);
      const { integrity, total } = readBank(join(target, 'data/app.db'));
      expect({ integrity, total }).toEqual({ integrity: 'ok', total: BANK_TOTAL });
      const text = readFileSync(join(target, 'data', PLANTED[2]!, `${PLANTED[0]}.txt`), 'utf8');
      expect(text).toBe(PLANTED[0]!.repeat(200));
    }
    await sandbox.json(['verify', '--all', '--deep']);
    await sandbox.json(['drill']);
    await sandbox.json(['check', '--read-data-subset', '100%']);
    await sandbox.json(['diff', ids[0]!, ids[3]!]);
    await sandbox.json(['delete', ids[1]!, '--yes']);
    await sandbox.json(['prune', '--yes']);
    await sandbox.json(['repository', 'rebuild']);
    expect((await sandbox.json(['check', '--read-data-subset', '100%']))['exitCode']).toBe(0);
    const { items } = await sandbox.json(['snapshots']);
    expect(items).toHaveLength(3);
    expect(items[0].sourceName).toBe(PLANTED[1]);
    expect(findPlanted(await allFiles(sandbox.repository), PLANTED)).toEqual([]);

    const settings = await client.call('settings.get', {});
    expect(settings['repositoryKey']).toMatchObject({ passphraseFile });
    const told = JSON.stringify([settings, daemon.log, await client.call('job.list', {})]);
    expect(told).not.toContain(PASSPHRASE);
    const files = [...(await allFiles(sandbox.state)), ...(await allFiles(sandbox.repository))];
    expect(findPlanted(files, [PASSPHRASE])).toEqual([]);
    await stopChild(daemon.process, 'SIGTERM');

    // Without a daemon, under the same settings.
    const target = join(sandbox.root, 'offline');
    await sandbox.json(['restore', 'latest', '--to', target]);
    expect(readBank(join(target, 'data/app.db')).total).toBe(BANK_TOTAL);
    // The header page is gone: nothing but the snapshot has it.
    await writeFile(join(sandbox.data, 'app.db'), Buffer.alloc(20_000, 0x61));
    await rm(join(sandbox.data, 'app.db-wal'), { force: true });
    await rm(join(sandbox.data, 'app.db-shm'), { force: true });
    const recovered = await sandbox.run(['recover', '--if-needed', '--json']);
    expect(recovered.exitCode, recovered.stdout + recovered.stderr).toBeLessThanOrEqual(3);
    expect(readBank(join(sandbox.data, 'app.db'))).toMatchObject({ integrity: 'ok' });
  });

  it('without its key, or with another one, the daemon starts and says so; nothing is written, nothing is read; the right key finds all as it was', async () => {
    const keyFile = join(sandbox.root, 'key');
    await configure({ keyFile });
    const database = new Database(join(sandbox.data, 'app.db'));
    database.exec('CREATE TABLE notes (body); INSERT INTO notes VALUES (randomblob(100000))');
    database.close();
    const { stats } = await sandbox.json(['repository', 'init', '--encrypt']);
    expect(stats).toMatchObject({ encrypted: true, keyFileMade: keyFile });
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    const { snapshotId } = await sandbox.json(['backup']);
    const before = stateOf(sandbox.repository);

    const right = readFileSync(keyFile);
    for (const [code, content] of [
      ['KEY_WRONG', Buffer.alloc(32, 3)],
      ['KEY_REQUIRED', null],
    ] as const) {
      await rm(keyFile);
      if (content !== null) await writeFile(keyFile, content, { mode: 0o600 });
      const daemon = await sandbox.start();
      const client = await sandbox.client();
      const { warnings } = await client.call('daemon.status', {});
      expect(warnings.map((warning) => warning.code)).toContain(code);
      const { job } = await client.call('snapshot.create', {});
      expect((await finished(client, job.id)).error).toMatchObject({ code });
      await expect(client.call('snapshot.list', {})).rejects.toMatchObject({ code });
      await stopChild(daemon.process, 'SIGTERM');
      const offline = await sandbox.run(['snapshots', '--json']);
      expect(offline.exitCode).toBe(1);
      expect(offline.stdout + offline.stderr).toContain(code);
      expect(stateOf(sandbox.repository)).toEqual(before);
    }

    await writeFile(keyFile, right, { mode: 0o600 });
    const target = join(sandbox.root, 'restored');
    await sandbox.json(['restore', snapshotId, '--to', target]);
    expect(existsSync(join(target, 'data/app.db'))).toBe(true);
    // A damaged database waits for the key: without it rows would be lost that a snapshot has.
    const garbage = readFileSync(join(sandbox.data, 'app.db'));
    garbage.fill(0x61, 4096, 16_384);
    await writeFile(join(sandbox.data, 'app.db'), garbage);
    await writeFile(keyFile, Buffer.alloc(32, 3), { mode: 0o600 });
    expect((await sandbox.run(['recover', '--if-needed'])).exitCode).not.toBe(0);
    expect(readFileSync(join(sandbox.data, 'app.db')).equals(garbage)).toBe(true);
    await writeFile(keyFile, right, { mode: 0o600 });
    expect((await sandbox.run(['recover', '--if-needed'])).exitCode).toBeLessThanOrEqual(3);
    const repaired = new Database(join(sandbox.data, 'app.db'), { readonly: true });
    expect(repaired.prepare('SELECT length(body) FROM notes').pluck().get()).toBe(100_000);
    repaired.close();

    // A configuration without any key is refused as well, and says what is missing.
    await configure(null);
    const bare = await sandbox.run(['snapshots', '--json']);
    expect(bare.exitCode).toBe(1);
    expect(bare.stdout + bare.stderr).toContain('KEY_REQUIRED');
  });

  it('keys are added, listed and removed, with a daemon and without; each of them opens it', async () => {
    const keyFile = join(sandbox.root, 'key');
    await configure({ keyFile });
    await sandbox.json(['repository', 'init', '--encrypt']);
    await sandbox.json(['backup']);
    await sandbox.json(['repository', 'key', 'add', '--new-passphrase-file', passphraseFile]);
    const daemon = await sandbox.start();
    const client = await sandbox.client();
    const third = join(sandbox.root, 'third');
    await writeFile(third, Buffer.alloc(32, 9), { mode: 0o600 });
    const { job } = await client.call('repository.addKey', { kind: 'keyFile', path: third });
    const { added } = succeeded(await finished(client, job.id)) as { added: { id: string } };
    const { items } = await sandbox.json(['repository', 'keys']);
    expect(items.map(({ kind }: { kind: string }) => kind)).toEqual([
      'keyFile',
      'passphrase',
      'keyFile',
    ]);
    expect((await sandbox.run(['repository', 'key', 'remove', added.id])).exitCode).not.toBe(0);
    await sandbox.json(['repository', 'key', 'remove', added.id, '--yes']);
    const own = items[0].id as string;
    const refused = await sandbox.run(['repository', 'key', 'remove', own, '--yes', '--json']);
    expect(refused.stdout + refused.stderr).toContain('IN_USE');
    await stopChild(daemon.process, 'SIGTERM');
    await configure({ passphraseFile });
    await sandbox.json(['repository', 'key', 'remove', own, '--yes']);
    expect((await sandbox.json(['snapshots']))['items']).toHaveLength(1);
    await configure({ keyFile });
    const gone = await sandbox.run(['snapshots', '--json']);
    expect(gone.stdout + gone.stderr).toContain('KEY_WRONG');
  });

  it('manifests, notes and packs that were exchanged or cut are found by the check and never restored as something else', async () => {
    const keyFile = join(sandbox.root, 'key');
    await configure({ keyFile });
    await sandbox.json(['repository', 'init', '--encrypt']);
    const file = join(sandbox.data, 'note.txt');
    const ids: string[] = [];
    for (const text of ['the first', 'the second']) {
      await writeFile(file, text);
      const { snapshotId } = await sandbox.json(['backup', '--tag', text.replace(' ', '-')]);
      ids.push(snapshotId);
    }
    const sound = join(sandbox.root, 'sound');
    await cp(sandbox.repository, sound, { recursive: true });
    const packs = readdirSync(join(sound, 'packs'), { recursive: true })
      .map(String)
      .filter((name) => name.endsWith('.pack'));
    const damages: [string, string][] = [
      [`snapshots/${ids[0]}.json`, `snapshots/${ids[1]}.json`],
      [`notes/${ids[0]}.json`, `notes/${ids[1]}.json`],
      [`packs/${packs[0]}`, `packs/${packs[1]}`],
    ];
    for (const [left, right] of damages) {
      if (!existsSync(join(sound, left))) continue;
      await writeFile(join(sandbox.repository, left), readFileSync(join(sound, right)));
      await writeFile(join(sandbox.repository, right), readFileSync(join(sound, left)));
      const check = await sandbox.run(['check', '--read-data-subset', '100%', '--json']);
      expect({ left, exitCode: check.exitCode }).toEqual({ left, exitCode: 12 });
      for (const [index, id] of ids.entries()) {
        const target = join(sandbox.root, 'restored');
        const { exitCode } = await sandbox.run(['restore', id, '--to', target, '--json']);
        if (exitCode === 0) {
          const text = readFileSync(join(target, 'data/note.txt'), 'utf8');
          expect(text).toBe(index === 0 ? 'the first' : 'the second');
        }
        await rm(target, { recursive: true, force: true });
      }
      await cp(sound, sandbox.repository, { recursive: true });
    }
    const last = join(sandbox.repository, 'packs', packs[1]!);
    await writeFile(last, readFileSync(last).subarray(0, -100));
    expect((await sandbox.run(['check'])).exitCode).toBe(12);
  });

  it('set back to an earlier state it is sound in itself, and the daemon tells that it is', async () => {
    const keyFile = join(sandbox.root, 'key');
    await configure({ keyFile });
    await sandbox.json(['repository', 'init', '--encrypt']);
    const earlier = join(sandbox.root, 'earlier');
    for (const round of [0, 1]) {
      const daemon = await sandbox.start();
      await snapshot(await sandbox.client());
      await stopChild(daemon.process, 'SIGTERM');
      if (round === 0) await cp(sandbox.repository, earlier, { recursive: true });
    }
    await rm(sandbox.repository, { recursive: true });
    await cp(earlier, sandbox.repository, { recursive: true });
    await sandbox.start();
    const client = await sandbox.client();
    const { items } = await client.call('alert.list', {});
    const kinds = items.map(({ kind }) => kind);
    expect(kinds).toContain('SNAPSHOTS_LOST');
    expect(kinds).toContain('REPOSITORY_ALTERED');
    const { warnings } = await client.call('daemon.status', {});
    expect(warnings.map(({ code }) => code)).toContain('REPOSITORY_ALTERED');
    const check = await sandbox.run(['check', '--json']);
    expect({ exitCode: check.exitCode, told: check.stdout.includes('ROLLED_BACK') }).toEqual({
      exitCode: 12,
      told: true,
    });
    // It may be right: somebody says so, and nothing is told of it any more, with a daemon and without.
    await sandbox.json(['repository', 'accept', '--yes']);
    expect((await sandbox.json(['check']))['exitCode']).toBe(0);
    await snapshot(client);
    const left = await client.call('alert.list', {});
    expect(left.items.map(({ kind }) => kind)).not.toContain('REPOSITORY_ALTERED');
  });

  it('notes that were put back are told of at the start and by the check; so is a key that was removed', async () => {
    const keyFile = join(sandbox.root, 'key');
    await configure({ keyFile });
    await sandbox.json(['repository', 'init', '--encrypt']);
    const { snapshotId } = await sandbox.json(['backup']);
    await sandbox.json(['repository', 'key', 'add', '--new-passphrase-file', passphraseFile]);
    const notes = join(sandbox.repository, 'notes', `${snapshotId}.json`);
    await sandbox.json(['tag', snapshotId, '--add', 'before']);
    const earlier = readFileSync(notes);
    await sandbox.json(['pin', snapshotId]);
    const { items: slots } = await sandbox.json(['repository', 'keys']);
    const slot = join(sandbox.repository, 'keys', `${slots[1].id}.json`);
    const removed = readFileSync(slot);
    await sandbox.json(['repository', 'key', 'remove', slots[1].id, '--yes']);
    expect((await sandbox.json(['check']))['exitCode']).toBe(0);
    await writeFile(notes, earlier);
    await writeFile(slot, removed);
    const check = await sandbox.run(['check', '--json']);
    expect(check.exitCode).toBe(12);
    expect(check.stdout).toContain('NOTES_REPLACED');
    expect(check.stdout).toContain('KEY_SLOT_RETURNED');
    await sandbox.start();
    const client = await sandbox.client();
    const { items } = await client.call('alert.list', {});
    const altered = items.filter(({ kind }) => kind === 'REPOSITORY_ALTERED');
    expect(altered.map(({ subject }) => subject).sort()).toEqual([
      'KEY_SLOT_RETURNED',
      'NOTES_REPLACED',
    ]);
  });

  it('a key is rotated, and a repository encrypted and rekeyed where it stands, while the daemon goes on', async () => {
    await configure(null);
    const file = join(sandbox.data, 'note.txt');
    const ids: string[] = [];
    for (const text of ['the first', 'the second']) {
      await writeFile(file, text);
      ids.push((await sandbox.json(['backup', '--tag', PLANTED[0]!]))['snapshotId']);
    }
    await sandbox.json(['pin', ids[0]!]);
    const keyFile = join(sandbox.root, 'key');
    await writeFile(keyFile, 'cd'.repeat(32), { mode: 0o600 });
    await configure({ keyFile });
    const daemon = await sandbox.start();
    const client = await sandbox.client();
    expect((await client.call('daemon.status', {})).warnings.map(({ code }) => code)).toContain(
      'KEY_WRONG',
    );
    const plan = await sandbox.json(['repository', 'encrypt', '--dry-run']);
    expect(plan['stats']).toMatchObject({ dryRun: true, snapshots: 2 });
    expect((await sandbox.run(['repository', 'encrypt'])).exitCode).not.toBe(0);
    const asConverted = async (): Promise<void> => {
      expect(findPlanted(await allFiles(sandbox.repository), PLANTED)).toEqual([]);
      const { warnings } = await client.call('daemon.status', {});
      expect(warnings.map(({ code }) => code)).not.toContain('KEY_WRONG');
      expect((await client.call('alert.list', {})).items.map(({ kind }) => kind)).toEqual([]);
      const { items } = await client.call('snapshot.list', {});
      expect(items.map(({ pinned }) => pinned).at(-1)).toBe(true);
      for (const [index, text] of ['the first', 'the second'].entries()) {
        const target = join(sandbox.root, `restored-${Math.random()}`);
        await restoreTo(client, ids[index]!, target);
        expect(readFileSync(join(target, 'data/note.txt'), 'utf8')).toBe(text);
      }
    };
    await sandbox.json(['repository', 'encrypt', '--yes']);
    await asConverted();
    await writeFile(file, 'the third');
    expect((await snapshot(client))['good']).toBe(true);
    await sandbox.json(['repository', 'rekey', '--yes']);
    await asConverted();
    await writeFile(file, 'the fourth');
    expect((await snapshot(client))['good']).toBe(true);
    await sandbox.run([
      'repository',
      'key',
      'rotate',
      '--new-passphrase-file',
      passphraseFile,
      '--yes',
    ]);
    await stopChild(daemon.process, 'SIGTERM');
    expect((await sandbox.run(['snapshots', '--json'])).exitCode).toBe(1);
    await configure({ passphraseFile });
    expect((await sandbox.json(['snapshots']))['items']).toHaveLength(4);
    await sandbox.start();
    const again = await sandbox.client();
    expect((await again.call('alert.list', {})).items.map(({ kind }) => kind)).toEqual([]);
    expect((await sandbox.json(['check', '--read-data-subset', '100%']))['exitCode']).toBe(0);
  });

  it('a repository that is not encrypted is copied into one that is; the old one stays, and the daemon goes on with the new one', async () => {
    await configure(null);
    const file = join(sandbox.data, 'note.txt');
    for (const text of ['the first', 'the second']) {
      await writeFile(file, text);
      await sandbox.json(['backup']);
    }
    const before = stateOf(sandbox.repository);
    const keyFile = join(sandbox.root, 'key');
    await writeFile(keyFile, 'cd'.repeat(32), { mode: 0o600 });
    const to = join(sandbox.root, 'encrypted');
    const { stats } = await sandbox.json([
      'repository',
      'copy',
      '--to',
      to,
      '--new-key-file',
      keyFile,
    ]);
    expect(stats).toMatchObject({ copied: 2, present: 2 });
    expect(stateOf(sandbox.repository)).toEqual(before);
    expect(findPlanted(await allFiles(to), PLANTED)).toEqual([]);
    await sandbox.configure(
      { name: PLANTED[1]! },
      { repositoryDirectory: to, repositoryKey: { keyFile } },
    );
    await sandbox.start();
    const client = await sandbox.client();
    await writeFile(file, 'the third');
    expect((await snapshot(client))['good']).toBe(true);
    const { items } = await sandbox.json(['snapshots']);
    expect(items).toHaveLength(3);
    for (const [index, text] of ['the third', 'the second', 'the first'].entries()) {
      const target = join(sandbox.root, `restored-${index}`);
      await restoreTo(client, items[index].id, target);
      expect(readFileSync(join(target, 'data/note.txt'), 'utf8')).toBe(text);
    }
    expect((await client.call('alert.list', {})).items).toEqual([]);
  });
});
