import { mkdir, mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SettingsHolder } from '../config/live-settings.ts';
import { readRememberedSettings } from '../config/remembered-settings.ts';
import { type ResolveRequest, resolveSettings } from '../config/resolve-settings.ts';
import {
  addSource,
  changeSettings,
  changeSource,
  type SettingsChanges,
} from '../config/settings-changes.ts';
import { writeFileDurably } from '../files/durable.ts';
import { systemClock } from '../kernel/clock.ts';
import { SettingsRecords, VERSIONS_KEPT } from '../state/settings-records.ts';
import { openState, type StateDatabase } from '../state/state-database.ts';
import { SettingsKeeper } from './settings-keeper.ts';

let directory: string;
let stateDirectory: string;
let state: StateDatabase;
let document: Record<string, unknown>;

beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-keeper-')));
  stateDirectory = join(directory, 'state');
  await mkdir(stateDirectory);
  document = { stateDirectory, sources: [{ name: 'app', roots: [join(directory, 'data')] }] };
  state = await openState(join(stateDirectory, 'state.db'), { clock: systemClock });
});
afterEach(async () => {
  state.close();
  await rm(directory, { recursive: true, force: true });
});

const request = (): ResolveRequest => ({
  document: { value: document, locate: () => null },
  origin: 'test.yaml',
  overrides: new Map(),
  watch: true,
  env: { HOME: directory },
});

/** As a daemon that starts. */
async function started(): Promise<{ keeper: SettingsKeeper; live: SettingsHolder }> {
  const live = new SettingsHolder(await resolveSettings(request()));
  const keeper = new SettingsKeeper({
    request: request(),
    live,
    records: new SettingsRecords(state),
    clock: systemClock,
    write: writeFileDurably,
  });
  await keeper.open();
  return { keeper, live };
}

const toDebug = (changes: SettingsChanges) => changeSettings(changes, { logLevel: 'debug' });

describe('SettingsKeeper', () => {
  it('F-04, F07: a change is in force at once, known to offline commands, and after a restart', async () => {
    const { keeper, live } = await started();
    const seen: string[] = [];
    live.onChange((now, before) => void seen.push(`${before.logLevel} → ${now.logLevel}`));
    expect(await keeper.change(undefined, toDebug)).toBe(1);
    expect(live.current.logLevel).toBe('debug');
    expect(seen).toEqual(['info → debug']);
    expect((await readRememberedSettings(stateDirectory))?.logLevel).toBe('debug');
    const again = await started();
    expect(again.live.current.logLevel).toBe('debug');
    expect(again.keeper.version).toBe(1);
  });

  it('F59, T-D21: settings that somebody holds do not change under them', async () => {
    const { keeper, live } = await started();
    const held = live.current;
    await keeper.change(undefined, toDebug);
    expect(held.logLevel).toBe('info');
    expect(Object.isFrozen(live.current)).toBe(true);
  });

  it('what is refused changes nothing: not the settings, nor what is remembered', async () => {
    const { keeper, live } = await started();
    const before = await readFile(join(stateDirectory, 'settings.json'), 'utf8');
    const held = live.current;
    await expect(
      keeper.change(undefined, (changes) => changeSettings(changes, { logLevel: 'loud' })),
    ).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    expect(live.current).toBe(held);
    expect(keeper.version).toBe(0);
    expect(await readFile(join(stateDirectory, 'settings.json'), 'utf8')).toBe(before);
  });

  it('an expected version that is not the present one is a VERSION_CONFLICT', async () => {
    const { keeper } = await started();
    await keeper.change(0, toDebug);
    await expect(keeper.change(0, toDebug)).rejects.toMatchObject({ code: 'VERSION_CONFLICT' });
    expect(await keeper.change(1, toDebug)).toBe(1);
  });

  it('changes that come together are made one after the other, and none is lost', async () => {
    const { keeper, live } = await started();
    const names = Array.from({ length: 8 }, (_, index) => `wiki-${index}`);
    await Promise.all(
      names.map((name) =>
        keeper.change(
          undefined,
          (changes, base) =>
            addSource(changes, base, { name, roots: [join(directory, name)] }).changes,
        ),
      ),
    );
    expect(live.current.sources.map(({ name }) => name)).toEqual(['app', ...names]);
    expect(keeper.version).toBe(8);
  });

  it('only so many versions are kept', async () => {
    const { keeper } = await started();
    for (let quietMs = 1; quietMs <= VERSIONS_KEPT + 5; quietMs += 1) {
      await keeper.change(undefined, (changes) =>
        changeSource(changes, 'app', { watch: { quietMs } }),
      );
    }
    const kept = state.connection.prepare('SELECT count(*) FROM settingsChanges').pluck().get();
    expect(kept).toBe(VERSIONS_KEPT);
  });

  it('a stored change that the file leaves no room for does not keep the daemon from starting', async () => {
    const { keeper } = await started();
    await keeper.change(undefined, (changes, base) => {
      const source = { name: 'wiki', roots: [join(directory, 'wiki')] };
      return addSource(toDebug(changes), base, source).changes;
    });
    document = {
      ...document,
      sources: [
        { name: 'w2', id: 'w2', roots: [directory] },
        { name: 'wiki', id: 'w3', roots: [directory] },
      ],
    };
    const again = await started();
    expect(again.keeper.setAside).toMatchObject([{ sourceId: 'wiki' }]);
    expect(again.live.current.logLevel).toBe('debug');
    expect(again.live.current.sources.map(({ id }) => id)).toEqual(['w2', 'w3']);
    expect(again.keeper.hasChangeOf('wiki')).toBe(true);
  });

  it('a state.db that was lost does not lose what was changed', async () => {
    const { keeper } = await started();
    await keeper.change(undefined, toDebug);
    state.close();
    await rm(join(stateDirectory, 'state.db'), { force: true });
    state = await openState(join(stateDirectory, 'state.db'), { clock: systemClock });
    const again = await started();
    expect(again.live.current.logLevel).toBe('debug');
    expect(again.keeper.version).toBe(1);
  });
});
