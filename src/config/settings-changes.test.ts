import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ErrorCode } from '../kernel/errors.ts';
import {
  baseDocument,
  resolveChangedSettings,
  resolveStoredChanges,
  valueOrigins,
} from './resolve-changed-settings.ts';
import type { ResolveRequest } from './resolve-settings.ts';
import {
  addSource,
  changeSettings,
  changeSource,
  NO_CHANGES,
  parseChanges,
  removeSource,
  resetSource,
  type SettingsChanges,
} from './settings-changes.ts';

let directory: string;
beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-changes-')));
  await mkdir(join(directory, 'data'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function requestOf(
  document: Record<string, unknown> = {},
  overrides: ResolveRequest['overrides'] = new Map(),
): ResolveRequest {
  const value = {
    stateDirectory: join(directory, 'state'),
    sources: [
      { name: 'Notes', roots: [join(directory, 'data')], watch: { quietMs: 1000, pollMs: 2000 } },
    ],
    ...document,
  };
  return {
    document: { value, locate: () => null },
    origin: 'test.yaml',
    overrides,
    watch: true,
    env: { HOME: directory },
  };
}

const failing = (code: ErrorCode) => expect.objectContaining({ code });
const base = () => baseDocument(requestOf());

describe('F07: settings change over what the daemon was started with', () => {
  it('a change wins over the file; taken back, the file shows again', async () => {
    const request = requestOf({ logLevel: 'warn', quarantine: { maxCount: 5 } });
    const changed = changeSettings(NO_CHANGES, { logLevel: 'debug', quarantine: { maxCount: 0 } });
    expect(await resolveChangedSettings(request, changed)).toMatchObject({
      logLevel: 'debug',
      quarantine: { maxCount: 0 },
    });
    const back = changeSettings(changed, { logLevel: null, quarantine: { maxCount: null } });
    expect(back).toEqual(NO_CHANGES);
    expect(await resolveChangedSettings(request, back)).toMatchObject({ logLevel: 'warn' });
  });

  it('T-50: a flag wins over a change, as it wins over the file', async () => {
    const flag = { value: 'error', origin: '--log-level' };
    const request = requestOf({ logLevel: 'warn' }, new Map([['logLevel', flag]]));
    const changed = changeSettings(NO_CHANGES, { logLevel: 'debug' });
    expect((await resolveChangedSettings(request, changed)).logLevel).toBe('error');
    expect(valueOrigins(request, changed)['logLevel']).toBe('--log-level');
  });

  it('M-D2: unknown options are refused, and the whole change with them', async () => {
    for (const patch of [{ logLevl: 'debug' }, { quarantine: { maxCoutn: 3 } }]) {
      const changed = changeSettings(NO_CHANGES, patch);
      await expect(resolveChangedSettings(requestOf(), changed)).rejects.toEqual(
        failing('CONFIG_INVALID'),
      );
    }
  });

  it('M-46: a cron expression that does not parse is refused with its own code', async () => {
    const trigger = { type: 'cron', expression: 'every day', timeZone: 'UTC' };
    const changed = changeSource(NO_CHANGES, 'notes', { schedules: [{ trigger }] });
    await expect(resolveChangedSettings(requestOf(), changed)).rejects.toEqual(
      failing('INVALID_CRON'),
    );
  });

  it.each(['stateDirectory', 'repositoryDirectory', 'socketPath', 'socketGroup'])(
    'Z-04: %s cannot change while the daemon runs, and the error says where it can',
    (option) => {
      expect(() => changeSettings(NO_CHANGES, { [option]: '/elsewhere' })).toThrow(
        expect.objectContaining({
          code: 'SETTING_FIXED',
          hint: expect.stringContaining('configuration file'),
        }),
      );
    },
  );
});

describe('F10, M-30: sources change by their immutable id', () => {
  it('patches one, and leaves what the patch does not say', async () => {
    const changed = changeSource(NO_CHANGES, 'notes', { watch: { quietMs: 0 } });
    const { sources } = await resolveChangedSettings(requestOf(), changed);
    expect(sources[0]!.watch).toMatchObject({ quietMs: 0, pollMs: 2000 });
  });

  it('M-D10: renamed, it keeps the id that its snapshots and retention belong to', async () => {
    const changed = changeSource(NO_CHANGES, 'notes', { name: 'Journal' });
    const { sources } = await resolveChangedSettings(requestOf(), changed);
    expect(sources).toMatchObject([{ id: 'notes', name: 'Journal' }]);
    expect(() => changeSource(NO_CHANGES, 'notes', { id: 'journal' })).toThrow(
      failing('INVALID_PARAMS'),
    );
  });

  it('T-02: adds one with a name and an id of its own; a second of either is refused', async () => {
    const source = { name: 'Wiki', roots: [join(directory, 'wiki')] };
    const { changes, id } = addSource(NO_CHANGES, base(), source);
    expect(id).toBe('wiki');
    const { sources } = await resolveChangedSettings(requestOf(), changes);
    expect(sources.map(({ name }) => name)).toEqual(['Notes', 'Wiki']);
    expect(() => addSource(changes, base(), source)).toThrow(failing('INVALID_PARAMS'));
    expect(() => addSource(NO_CHANGES, base(), { ...source, name: 'Notes' })).toThrow(
      failing('INVALID_PARAMS'),
    );
    const sameName = addSource(NO_CHANGES, base(), { ...source, id: 'other', name: 'Notes' });
    await expect(resolveChangedSettings(requestOf(), sameName.changes)).rejects.toEqual(
      failing('CONFIG_INVALID'),
    );
    const noRoots = addSource(NO_CHANGES, base(), { name: 'Wiki', roots: [] });
    await expect(resolveChangedSettings(requestOf(), noRoots.changes)).rejects.toEqual(
      failing('CONFIG_INVALID'),
    );
  });

  it('removes one that was configured, and brings it back; one that was added is forgotten', async () => {
    const removed = removeSource(NO_CHANGES, base(), 'notes');
    expect((await resolveChangedSettings(requestOf(), removed)).sources).toEqual([]);
    expect(resetSource(removed, base(), 'notes')).toEqual(NO_CHANGES);
    const source = { name: 'Wiki', roots: [join(directory, 'wiki')] };
    const { changes } = addSource(NO_CHANGES, base(), source);
    expect(removeSource(changes, base(), 'wiki')).toEqual(NO_CHANGES);
    expect(() => resetSource(changes, base(), 'wiki')).toThrow(failing('NOT_FOUND'));
  });
});

it('where a value comes from is told for all that is no default', () => {
  const changed = changeSource(NO_CHANGES, 'notes', { watch: { quietMs: 0 } });
  expect(valueOrigins(requestOf({ logLevel: 'warn' }), changed)).toMatchObject({
    logLevel: 'configuration',
    'sources.notes.watch.quietMs': 'change',
    'sources.notes.watch.pollMs': 'configuration',
  });
});

describe('T-D10: changes that the edited file leaves no room for', () => {
  const wiki = () => ({ name: 'Wiki', roots: [join(directory, 'wiki')] });
  const stored = (): SettingsChanges => {
    const patch = { watch: { quietMs: 5 }, retention: { keepLast: 50 } };
    const changed = changeSource(NO_CHANGES, 'notes', patch);
    return addSource({ ...changed, settings: { logLevel: 'debug' } }, base(), wiki()).changes;
  };

  it('are left out alone; the others hold, and the daemon starts', async () => {
    const taken = requestOf({
      sources: [
        { name: 'Notes', roots: [join(directory, 'data')] },
        { ...wiki(), id: 'w2' },
      ],
    });
    const { settings, setAside } = await resolveStoredChanges(taken, stored());
    expect(setAside).toEqual([{ sourceId: 'wiki', reason: expect.stringContaining('also means') }]);
    expect(settings.logLevel).toBe('debug');
    expect(settings.sources.map(({ id }) => id)).toEqual(['notes', 'w2']);
    expect(settings.sources[0]!.watch.quietMs).toBe(5);
  });

  it('while one is left out, no policy removes anything of that source', async () => {
    const bad = changeSource(NO_CHANGES, 'notes', { name: 'w2', retention: { keepLast: 50 } });
    const request = requestOf({
      retention: { keepLast: 1 },
      quarantine: { maxCount: 1 },
      sources: [
        { name: 'Notes', roots: [join(directory, 'data')] },
        { name: 'w2', roots: [join(directory, 'wiki')] },
      ],
    });
    const { settings, setAside } = await resolveStoredChanges(request, bad);
    expect(setAside).toMatchObject([{ sourceId: 'notes' }]);
    expect(settings.sources[0]!.retention).toBeNull();
    expect(settings.sources[1]!.retention).toMatchObject({ keepLast: 1 });
    const top = { ...NO_CHANGES, settings: { nonsense: 1 } };
    const all = await resolveStoredChanges(request, top);
    expect(all.settings.retention).toBeNull();
    expect(all.settings.quarantine.maxCount).toBeNull();
    expect(all.settings.sources.every(({ retention }) => retention === null)).toBe(true);
  });
});

it('parseChanges() takes what was written and nothing else', () => {
  const changes = removeSource(changeSettings(NO_CHANGES, { logLevel: 'warn' }), base(), 'notes');
  expect(parseChanges(JSON.parse(JSON.stringify(changes)))).toEqual(changes);
  for (const wrong of [null, [], {}, { settings: {}, sources: { a: { kind: 'patched' } } }]) {
    expect(parseChanges(wrong)).toBeNull();
  }
});
