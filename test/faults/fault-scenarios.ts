import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import {
  listQuarantine,
  purgeQuarantine,
  restoreQuarantined,
} from '../../src/files/quarantine/quarantine.ts';
import { quietActivity } from '../../src/kernel/activity.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import {
  migrationSettings,
  ORDER_STEPS,
  writeSteps,
} from '../../src/migrations/testing/step-files.ts';
import { policyOf } from '../../src/retention/testing/candidates.ts';
import { filesIn, treeHashes } from '../support/tree.ts';
import type { FaultPlace } from './fault-place.ts';
import { listedSnapshots } from './fault-verdict.ts';

/** One kind of work, and what of the world it changes. */
export interface FaultScenario {
  readonly name: string;
  prepare(place: FaultPlace): Promise<void>;
  work(place: FaultPlace): Promise<unknown>;
  /** What must be as it was or as the whole work leaves it, whatever fails; comparable. */
  target(place: FaultPlace): Promise<unknown>;
  /** Done again only where the first try changed nothing. */
  readonly once?: true;
}

const HASH_BYTES = 16;

/** Files of the application, by what is in them; what SQLite keeps beside an open database aside. */
async function dataOf(place: FaultPlace): Promise<unknown> {
  const record = treeHashes(place.at('data'));
  return Object.fromEntries(Object.entries(record).filter(([name]) => !/-(wal|shm)$/.test(name)));
}

const hashOf = (path: string): string | null =>
  existsSync(path)
    ? createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, HASH_BYTES)
    : null;

const countSnapshots = async (place: FaultPlace): Promise<number> =>
  (await listedSnapshots(place)).length;

/** An application with a first state in a snapshot, and another state since. */
async function changed(place: FaultPlace): Promise<void> {
  place.writeDatabase('first');
  place.put('data/note.txt', 'first');
  await place.run('backup');
  place.writeDatabase('second', 60);
  place.put('data/note.txt', 'second');
  place.put('data/new.txt', 'new');
}

/** Three snapshots with a state each. */
async function history(place: FaultPlace): Promise<void> {
  for (const mark of ['first', 'second', 'third']) {
    place.writeDatabase(mark);
    place.put('data/note.txt', mark);
    await place.run('backup');
  }
}

const inPlace = { target: { type: 'in-place' }, replaceDatabases: true };

async function snapshotId(place: FaultPlace, index: number): Promise<string> {
  return (await listedSnapshots(place))[index]!;
}

const quarantined = (place: FaultPlace): string =>
  readdirSync(join(place.settings.stateDirectory, 'quarantine')).sort()[0]!;

/** Overwrites pages in the middle of the file. */
function damage(place: FaultPlace): void {
  const handle = openSync(place.at('data/app.db'), 'r+');
  for (const page of [3, 4, 5]) writeSync(handle, Buffer.alloc(4096, 0xa5), 0, 4096, page * 4096);
  closeSync(handle);
}

function encrypted(place: FaultPlace): void {
  place.clear();
  place.putKey('key', 'a');
  const repositoryKey = { keyFile: place.at('key'), passphraseFile: null, secret: null };
  place.settings = { ...place.settings, repositoryKey };
}

const exporting = (format: string): FaultScenario => ({
  name: `export as ${format}`,
  async prepare(place) {
    place.clear();
    await changed(place);
  },
  work: (place) =>
    place.run('export', {
      snapshotId: 'latest',
      sourceId: 'app',
      format,
      to: { type: 'file', path: join(place.elsewhere, `out.${format}`) },
      overwrite: true,
    }),
  target: async (place) =>
    hashOf(join(place.elsewhere, `out.${format}`)) === null ? 'nothing' : 'whole',
});

async function exported(place: FaultPlace, format: string): Promise<void> {
  await exporting(format).work(place);
}

const importing = (into: string, format: string, params: object): FaultScenario => ({
  name: `import into ${into} from ${format}`,
  async prepare(place) {
    place.clear();
    await changed(place);
    await exported(place, format);
  },
  work: (place) =>
    place.run('import', {
      into,
      from: join(place.elsewhere, `out.${format}`),
      sourceId: 'app',
      ...params,
    }),
  target: into === 'snapshot' ? countSnapshots : dataOf,
});

const backups: FaultScenario[] = [
  {
    name: 'first backup',
    async prepare(place) {
      place.clear();
      place.writeDatabase('first');
      place.put('data/note.txt', 'first');
    },
    work: (place) => place.run('backup'),
    target: countSnapshots,
    once: true,
  },
  {
    name: 'second backup',
    async prepare(place) {
      place.clear();
      await changed(place);
    },
    work: (place) => place.run('backup', { tags: ['tagged'] }),
    target: countSnapshots,
    once: true,
  },
  {
    name: 'encrypted backup',
    async prepare(place) {
      encrypted(place);
      await changed(place);
    },
    work: (place) => place.run('backup'),
    target: countSnapshots,
    once: true,
  },
];

const removals: FaultScenario[] = [
  {
    name: 'delete',
    async prepare(place) {
      place.clear();
      await history(place);
    },
    work: async (place) =>
      place.run('delete', { snapshotIds: [await snapshotId(place, 2)], force: true }),
    target: listedSnapshots,
    once: true,
  },
  {
    name: 'forget',
    async prepare(place) {
      place.clear({ retention: { ...policyOf({ keepLast: 1 }), minGood: 1 } as never });
      await history(place);
      await history(place);
    },
    work: (place) => place.run('forget'),
    // Snapshot by snapshot: each is there or not.
    target: async () => null,
  },
  {
    name: 'prune',
    async prepare(place) {
      place.clear();
      await history(place);
      await place.run('delete', { snapshotIds: [await snapshotId(place, 1)], force: true });
      await place.run('delete', { snapshotIds: [await snapshotId(place, 1)], force: true });
    },
    work: (place) => place.run('prune'),
    target: listedSnapshots,
  },
];

const restores: FaultScenario[] = [
  {
    name: 'restore in place',
    async prepare(place) {
      place.clear();
      await changed(place);
    },
    work: async (place) =>
      place.run('restore', { snapshotId: 'latest', sourceId: 'app', ...inPlace }),
    target: dataOf,
    once: true,
  },
  {
    name: 'restore in place as a mirror, with the state on another file system',
    async prepare(place) {
      place.clear();
      place.settings = { ...place.settings, stateDirectory: join(place.elsewhere, 'state') };
      await changed(place);
    },
    work: async (place) =>
      place.run('restore', {
        snapshotId: 'latest',
        sourceId: 'app',
        mode: 'mirror',
        checkpoint: false,
        ...inPlace,
      }),
    target: dataOf,
    once: true,
  },
  {
    name: 'restore to a directory',
    async prepare(place) {
      place.clear();
      await changed(place);
    },
    work: async (place) =>
      place.run('restore', {
        snapshotId: 'latest',
        sourceId: 'app',
        target: { type: 'directory', path: place.at('out') },
      }),
    target: async (place) => (existsSync(place.at('out')) ? treeHashes(place.at('out')) : null),
    once: true,
  },
  {
    name: 'stage a restore',
    async prepare(place) {
      place.clear();
      await changed(place);
    },
    work: async (place) =>
      place.run('stage', {
        snapshotId: 'latest',
        sourceId: 'app',
        replaceDatabases: true,
        replacePending: true,
      }),
    target: dataOf,
  },
  {
    name: 'apply a staged restore',
    async prepare(place) {
      place.clear();
      await changed(place);
      await place.run('stage', { snapshotId: 'latest', sourceId: 'app', replaceDatabases: true });
    },
    work: (place) => place.run('apply'),
    target: dataOf,
    once: true,
  },
  {
    name: 'bring back from quarantine',
    async prepare(place) {
      place.clear();
      await changed(place);
      await place.run('restore', { snapshotId: 'latest', sourceId: 'app', ...inPlace });
    },
    work: async (place) => {
      const { stateDirectory } = place.settings;
      await restoreQuarantined(
        stateDirectory,
        quarantined(place),
        place.at('out'),
        quietActivity(),
      );
    },
    target: async (place) =>
      filesIn(place.at('out')).length > 0 ? treeHashes(place.at('out')) : null,
    once: true,
  },
  {
    name: 'purge of the quarantine',
    async prepare(place) {
      place.clear();
      await changed(place);
      await place.run('restore', { snapshotId: 'latest', sourceId: 'app', ...inPlace });
    },
    work: (place) =>
      purgeQuarantine(place.settings.stateDirectory, { olderThanMs: 0 }, systemClock),
    target: async (place) => listQuarantine(place.settings.stateDirectory),
  },
];

const repairs: FaultScenario[] = [
  {
    name: 'recovery of a damaged database',
    async prepare(place) {
      place.clear();
      await changed(place);
      await place.run('backup');
      damage(place);
    },
    work: async (place) => {
      const { ok, sources } = await place.run('recover', { mode: 'force', acceptLoss: true });
      if (ok === true) return;
      const { reason } = sources.app.databases[0];
      // The report has words for people: those of the system name its code, those of SQLite for this do not.
      const isFull = reason.includes('database or disk is full');
      const code = isFull ? 'SQLITE_FULL' : /\b(SQLITE_\w+|E[A-Z]{2,})\b/.exec(reason)?.[0];
      throw Object.assign(new Error(reason), { code });
    },
    target: dataOf,
  },
  {
    name: 'migration',
    async prepare(place) {
      place.clear();
      const steps = writeSteps(place.at('steps'), ORDER_STEPS);
      const [source] = place.settings.sources;
      const sources = [{ ...source!, migrations: [migrationSettings(steps)] }];
      place.settings = { ...place.settings, sources };
      const database = new Database(place.at('data/app.db'));
      database.pragma('journal_mode = WAL');
      database.close();
      await place.run('migrate', { action: 'up', target: '1.0.0' });
    },
    work: (place) => place.run('migrate', { action: 'up' }),
    target: dataOf,
  },
  {
    name: 'drill',
    async prepare(place) {
      place.clear();
      await changed(place);
    },
    work: (place) => place.run('drill'),
    target: countSnapshots,
  },
];

const transfers: FaultScenario[] = [
  exporting('db'),
  exporting('sql'),
  exporting('jsonl'),
  exporting('tar.gz'),
  importing('database', 'db', {}),
  importing('tables', 'jsonl', { mode: 'replace' }),
  importing('snapshot', 'tar.gz', {}),
  {
    name: 'publish an artifact',
    async prepare(place) {
      place.clear();
      await changed(place);
    },
    work: (place) => place.run('publish', { alias: 'newest' }),
    target: async () => null,
  },
];

const upkeep: FaultScenario[] = [
  {
    name: 'init with a new key',
    async prepare(place) {
      encrypted(place);
      const repositoryKey = { keyFile: place.at('new-key'), passphraseFile: null, secret: null };
      place.settings = { ...place.settings, repositoryKey };
    },
    work: (place) => place.run('init', { encrypt: true }),
    target: async () => null,
  },
  {
    name: 'key add',
    async prepare(place) {
      encrypted(place);
      await changed(place);
      place.putKey('other-key', 'b');
    },
    work: (place) =>
      place.run('key', { action: 'add', kind: 'keyFile', path: place.at('other-key') }),
    target: listedSnapshots,
    once: true,
  },
  {
    name: 'copy into an encrypted repository',
    async prepare(place) {
      place.clear();
      await changed(place);
      place.putKey('other-key', 'b');
    },
    work: (place) =>
      place.run('copy', {
        to: join(place.elsewhere, 'copy'),
        kind: 'keyFile',
        keyPath: place.at('other-key'),
      }),
    target: listedSnapshots,
  },
  {
    name: 'tags, pins and verifications',
    async prepare(place) {
      place.clear();
      await changed(place);
    },
    work: async (place) => {
      await place.run('annotate', { snapshotIds: ['latest'], addTags: ['kept'], pinned: true });
      await place.run('verify', { snapshots: 'all', deep: true });
    },
    target: listedSnapshots,
  },
  {
    name: 'rebuild of the catalog',
    async prepare(place) {
      place.clear();
      await changed(place);
    },
    work: (place) => place.run('rebuild'),
    target: listedSnapshots,
  },
];

export const FAULT_SCENARIOS: readonly FaultScenario[] = [
  ...backups,
  ...removals,
  ...restores,
  ...repairs,
  ...transfers,
  ...upkeep,
];
