import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PACKAGED_SERVICE } from '../../host/service-description.ts';
import { renderServiceFiles } from '../../host/service-files.ts';
import { cannot } from '../../kernel/errors.ts';
import { exitCodeOf, renderFindings } from '../commands/doctor.ts';
import { examineDaemon, examineLock, examineProof } from './examine-instance.ts';
import {
  backupToolOf,
  examineBackupTools,
  hasWalResetFault,
  listProcesses,
  sqliteVersionIn,
} from './examine-processes.ts';
import { examineCodec, examineNode } from './examine-runtime.ts';
import {
  countDirectories,
  examineFileSystem,
  examinePrivacy,
  examineSpace,
  networkFileSystem,
} from './examine-storage.ts';
import { examineUnits, unitDrift } from './examine-units.ts';
import { failure, ok, warning } from './finding.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-doctor-'));
});

afterAll(() => rm(directory, { recursive: true }));

describe('the runtime', () => {
  it('says what snapshots are compressed with, and what would be quicker', () => {
    expect(examineCodec(true)).toMatchObject({ severity: 'ok' });
    expect(examineCodec(false)).toMatchObject({
      severity: 'ok',
      message: expect.stringContaining('zstd-napi'),
    });
  });

  it('must be Node 20.19 or newer', () => {
    expect(examineNode('20.18.9').severity).toBe('error');
    expect(examineNode('20.19.0').severity).toBe('ok');
    expect(examineNode('18.20.0').severity).toBe('error');
    expect(examineNode('24.1.0').severity).toBe('ok');
  });
});

describe('SQLite of the application', () => {
  it('hasWalResetFault() knows the releases that can lose commits', () => {
    for (const version of ['3.7.0', '3.40.1', '3.44.5', '3.50.6', '3.51.2']) {
      expect(hasWalResetFault(version), version).toBe(true);
    }
    for (const version of ['3.6.23', '3.44.6', '3.50.7', '3.51.3', '3.53.0', '4.0.0']) {
      expect(hasWalResetFault(version), version).toBe(false);
    }
  });

  it('sqliteVersionIn() reads the version from a library, and does not guess', () => {
    const library = (...strings: string[]): Buffer => Buffer.from(strings.join('\0'));
    expect(sqliteVersionIn(library('x', 'SQLite format 3', '3.40.1', 'y'))).toBe('3.40.1');
    expect(sqliteVersionIn(library('x', '3.40.1', 'y'))).toBeNull();
    expect(sqliteVersionIn(library('SQLite format 3', '3.40.1', '3.41.0', 'y'))).toBeNull();
    expect(sqliteVersionIn(library('SQLite format 3', 'since 3.40.1'))).toBeNull();
  });
});

describe('other tools', () => {
  it.each([
    [['/usr/bin/litestream', 'replicate'], 'litestream'],
    [['sqlite3', '/srv/app.db', '.backup /tmp/x'], 'sqlite3 backup'],
    [['sqlite3', '/srv/app.db'], null],
    [['/usr/bin/python3', '/usr/bin/borg', 'create'], 'borg'],
    [['node', '/opt/holdfast/bin/holdfast', 'daemon'], 'holdfast'],
    [['node', '/opt/holdfast/bin/holdfast', 'status'], null],
    [['vim', 'restic'], 'restic'],
    [['node', 'server.js', 'restic'], null],
  ])('%j is recognised as %s', (argv, tool) => {
    expect(backupToolOf(argv)).toBe(tool);
  });

  it('the own processes are not counted', async () => {
    const processes = await listProcesses();
    expect(processes.map(({ pid }) => pid)).toContain(process.pid);
    const other = { pid: 7, argv: ['litestream'] };
    expect(examineBackupTools([other], [7])).toMatchObject([{ severity: 'ok' }]);
    expect(examineBackupTools([other], [])).toMatchObject([{ severity: 'warning' }]);
  });
});

describe('storage', () => {
  it('recognises network file systems, also where the type is reported signed', () => {
    expect(networkFileSystem(0x6969)).toBe('NFS');
    expect(networkFileSystem(0xff534d42 | 0)).toBe('CIFS');
    expect(networkFileSystem(0x65735546)).toBe('FUSE');
    expect(networkFileSystem(0xef53)).toBeNull();
  });

  it('a missing data root is a warning, a repository still to be made is not', async () => {
    const path = join(directory, 'missing', 'deep');
    const place = { role: 'data', path, holdsDatabases: true };
    expect((await examineFileSystem(place)).severity).toBe('warning');
    expect((await examineFileSystem({ ...place, holdsDatabases: false })).severity).toBe('ok');
    expect((await examineSpace(place)).message).toContain('free');
  });

  it('Z-04, Z-D34: a repository that others may look into deserves a warning', async () => {
    const path = join(directory, 'repository');
    expect((await examinePrivacy('repository', path)).severity).toBe('ok');
    await mkdir(path);
    await chmod(path, 0o700);
    expect((await examinePrivacy('repository', path)).severity).toBe('ok');
    for (const mode of [0o750, 0o701]) {
      await chmod(path, mode);
      expect(await examinePrivacy('repository', path)).toMatchObject({
        severity: 'warning',
        message: expect.stringContaining(mode.toString(8)),
      });
    }
  });

  it('countDirectories() follows no symlinks and stops at its bound', async () => {
    const root = join(directory, 'tree');
    await mkdir(join(root, 'a', 'b'), { recursive: true });
    await mkdir(join(root, 'c'));
    await symlink(root, join(root, 'c', 'loop'));
    expect(await countDirectories(root, 100)).toBe(4);
    expect(await countDirectories(root, 2)).toBe(2);
    expect(await countDirectories(join(root, 'none'), 100)).toBe(0);
  });
});

describe('the instance', () => {
  const refused = cannot('DAEMON_UNREACHABLE', 'reach', 'x', 'denied', {
    cause: Object.assign(new Error(), { code: 'EACCES' }),
  });

  it('no daemon is a warning; one that cannot be talked to is an error', () => {
    const down = cannot('DAEMON_UNREACHABLE', 'reach', 'x', 'no socket', {
      cause: Object.assign(new Error(), { code: 'ENOENT' }),
    });
    expect(examineDaemon('/s', down)).toMatchObject([{ severity: 'warning' }]);
    expect(examineDaemon('/s', refused)).toMatchObject([{ severity: 'error' }]);
    const long = `/${'x'.repeat(200)}`;
    expect(examineDaemon(long, down)[0]).toMatchObject({ check: 'socket', severity: 'error' });
  });

  it('a lock whose holder is gone is none; a living holder is named', async () => {
    const write = (pid: number) =>
      writeFile(
        join(directory, 'instance.lock.holder'),
        JSON.stringify({ pid, purpose: 'test', since: '2026-01-01T00:00:00.000Z' }),
      );
    expect((await examineLock(directory, refused)).severity).toBe('ok');
    await write(2 ** 30);
    expect((await examineLock(directory, refused)).severity).toBe('ok');
    await write(process.pid);
    const held = await examineLock(directory, refused);
    expect(held).toMatchObject({ severity: 'warning' });
    expect(held.message).toContain(String(process.pid));
  });

  it('a restore that was not proven for long deserves a look', () => {
    const nowMs = Date.parse('2026-03-01T00:00:00.000Z');
    const proof = (verifiedAt: string | null) => examineProof({ source: 'a', verifiedAt }, nowMs);
    expect(proof(null).severity).toBe('warning');
    expect(proof('2026-01-01T00:00:00.000Z').severity).toBe('warning');
    expect(proof('2026-02-28T00:00:00.000Z').severity).toBe('ok');
  });
});

describe('installed units', () => {
  const unit = renderServiceFiles('systemd', PACKAGED_SERVICE.systemd).find(
    ({ path }) => path === 'holdfast.service',
  )!.text;

  it('unitDrift() names what differs, not what each installation chooses', () => {
    expect(unitDrift(unit, unit)).toEqual([]);
    expect(unitDrift(unit.replace('User=app', 'User=web'), unit)).toEqual([]);
    expect(unitDrift(unit.replace('Type=notify', 'Type=simple'), unit)).toEqual(['Type']);
    expect(unitDrift(unit.replace('NoNewPrivileges=yes\n', ''), unit)).toEqual(['NoNewPrivileges']);
  });

  it('a unit that starts a missing program is reported', async () => {
    expect(await examineUnits([directory])).toMatchObject([{ severity: 'ok' }]);
    const broken = unit.replace(/^ExecStart=.*$/m, 'ExecStart=/nonexistent/node /nonexistent/h');
    await writeFile(join(directory, 'holdfast.service'), broken);
    const [finding] = await examineUnits([directory]);
    expect(finding).toMatchObject({ severity: 'warning' });
    expect(finding?.message).toContain('/nonexistent/node and /nonexistent/h');
    const drifted = unit
      .replace(/^ExecStart=.*$/m, `ExecStart=${process.execPath} daemon`)
      .replace('WatchdogSec=60', 'WatchdogSec=0');
    await writeFile(join(directory, 'holdfast.service'), drifted);
    expect((await examineUnits([directory]))[0]?.message).toContain('differs in WatchdogSec');
  });
});

describe('the outcome', () => {
  it('is 1 for errors, 3 for warnings, 0 for neither', () => {
    expect(exitCodeOf([ok('a', 'm')])).toBe(0);
    expect(exitCodeOf([ok('a', 'm'), warning('b', 'm', 'h')])).toBe(3);
    expect(exitCodeOf([failure('a', 'm', 'h'), warning('b', 'm', 'h')])).toBe(1);
    expect(renderFindings([failure('a', 'm\n', 'do x')], false)).toBe(
      'error    a: m\\u000a\n         -> do x',
    );
  });
});
