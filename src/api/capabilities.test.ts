import { describe, expect, it } from 'vitest';
import { testSettings } from '../config/testing/settings.ts';
import type { MethodName } from '../protocol/method-map.ts';
import { methods } from '../protocol/methods.ts';
import { requireCapability } from './capabilities.ts';
import type { Session } from './handler.ts';

const own = process.getuid!();

function may(
  method: MethodName,
  uid: number | null,
  socketGroup: string | null = 'users',
): boolean {
  const credentials = uid === null ? null : { uid, gid: 100, pid: 1 };
  const session = { peer: { credentials } } as unknown as Session;
  try {
    requireCapability(method, session, { settings: testSettings('/nowhere', { socketGroup }) });
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'CAPABILITY_REQUIRED' });
    return false;
  }
}

const all = Object.keys(methods) as MethodName[];

describe('what members of the group may do', () => {
  it('M-12, M-D15: nobody but the owner and root has commands run, settings changed or anything removed', () => {
    const guarded: MethodName[] = [
      'hook.set',
      'plugin.add',
      'settings.update',
      'source.add',
      'source.update',
      'secret.set',
      'schedule.set',
      'repository.prune',
      'retention.apply',
      'snapshot.delete',
      'snapshot.unpin',
      'restore.run',
      'restore.stage',
      'recovery.run',
      'recovery.quarantineRestore',
      'recovery.quarantinePurge',
      'daemon.shutdown',
    ];
    for (const method of guarded) {
      expect([method, may(method, 4242)]).toEqual([method, false]);
      for (const uid of [own, 0]) expect([method, may(method, uid)]).toEqual([method, true]);
    }
  });

  it('they may look, and take snapshots', () => {
    for (const method of ['daemon.status', 'snapshot.list', 'snapshot.create'] as const) {
      expect(may(method, 4242)).toBe(true);
    }
  });

  it('where the system does not tell who is there, the mode of the socket decides', () => {
    expect(all.filter((method) => !may(method, null, null))).toEqual([]);
    expect(may('settings.update', null, 'users')).toBe(false);
  });
});
