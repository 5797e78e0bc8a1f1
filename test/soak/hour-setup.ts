import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Sandbox } from '../support/sandbox.ts';

/** What the hour protects: a bank in each journal mode, and an application of files. */
export const BANKS = { wal: 'wal', rollback: 'delete' } as const;
export const FILES = 'files';
const BANK_NAMES = Object.keys(BANKS) as (keyof typeof BANKS)[];
export const SOURCES: readonly string[] = [...BANK_NAMES, FILES];

const WATCH = { enabled: true, quietMs: '2s', maxWaitMs: '40s', minGapMs: '30s', pollMs: '10s' };
const RETENTION = { keepLast: 8, keepWithinMs: '2m', minGood: 2 };

const sourceSchedules = [
  { id: 'often', kind: 'backup', trigger: '1m' },
  { id: 'proof', kind: 'verify', trigger: '3m' },
  { id: 'drill', kind: 'drill', trigger: '5m' },
];
const schedules = [
  { id: 'forget', kind: 'forget', trigger: '2m' },
  { id: 'prune', kind: 'prune', trigger: '4m' },
  { id: 'check', kind: 'check', trigger: '7m' },
];

export function directoryOf(sandbox: Sandbox, source: string): string {
  return join(sandbox.root, 'applications', source);
}

/** A sandbox with three sources, everything that can be triggered turned on, and little kept. */
export function hourSandbox(): Sandbox {
  const sandbox = new Sandbox();
  for (const name of SOURCES) mkdirSync(directoryOf(sandbox, name), { recursive: true });
  const document = {
    stateDirectory: sandbox.state,
    repositoryDirectory: sandbox.repository,
    socketPath: sandbox.socket,
    jobs: { keptCount: 100 },
    prune: { graceMs: '1m' },
    schedules,
    sources: SOURCES.map((name) => ({
      name,
      roots: [{ class: 'data', path: directoryOf(sandbox, name) }],
      watch: WATCH,
      retention: RETENTION,
      schedules: sourceSchedules,
    })),
  };
  writeFileSync(sandbox.config, JSON.stringify(document));
  return sandbox;
}
