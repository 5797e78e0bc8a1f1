import { beforeEach, describe, expect, it } from 'vitest';
import type { AlertSighting } from '../state/alert-records.ts';
import { RepositoryMemory } from './repository-memory.ts';

const at = (id: string, sourceId = 'app') => ({
  id: id.repeat(64),
  sourceId,
  capturedAt: `2026-01-0${Number.parseInt(id, 16) % 9}T00:00:00.000Z`,
});
const sight = (ids: string, repositoryId = 'one', path = '/backup') => ({
  path,
  repositoryId,
  snapshots: [...ids].map((id) => at(id)),
});

let raised: AlertSighting[];
let memory: RepositoryMemory;
beforeEach(() => {
  const flags = new Map<string, unknown>();
  raised = [];
  memory = new RepositoryMemory(
    { get: (key) => flags.get(key), set: (key, value) => void flags.set(key, value) },
    (sighting) => raised.push(sighting),
  );
});

describe('what was in the repository', () => {
  it('raises nothing as long as snapshots come, and where our own jobs removed some', () => {
    memory.look(sight(''), false);
    memory.look(sight('1'), false);
    memory.look(sight('321'), false);
    memory.look(sight('32'), true);
    memory.look(sight('2'), true);
    memory.look(sight('2'), false);
    expect(raised).toEqual([]);
  });

  it('a repository that was set back is told of once, by the newest snapshot that is gone', () => {
    memory.look(sight('321'), false);
    memory.look(sight('21'), false);
    memory.look(sight('21'), false);
    expect(raised).toMatchObject([
      { kind: 'SNAPSHOTS_LOST', severity: 'critical', sourceId: 'app', subject: '33333333' },
    ]);
  });

  it('older snapshots that vanish are told of by their number', () => {
    memory.look(sight('321'), false);
    memory.look(sight('3'), false);
    expect(raised).toMatchObject([
      { kind: 'SNAPSHOTS_LOST', sourceId: null, message: expect.stringContaining('2 snapshots') },
    ]);
  });

  it('a folder that was configured in the place of another is no surprise', () => {
    memory.look(sight('321'), false);
    memory.look(sight('1', 'two', '/elsewhere'), false);
    expect(raised).toEqual([]);
  });

  it('another repository in its place is told of, and is the known one from then on', () => {
    memory.look(sight('321'), false);
    memory.look(sight('', 'two'), false);
    memory.look(sight('4', 'two'), false);
    expect(raised.map(({ kind }) => kind)).toEqual(['REPOSITORY_REPLACED']);
  });
});
