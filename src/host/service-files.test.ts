import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PACKAGED_SERVICE, type ServiceDescription } from './service-description.ts';
import { renderServiceFiles } from './service-files.ts';
import { parseUnit } from './systemd-unit.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const packaged = (['systemd', 'launchd'] as const).flatMap((manager) =>
  renderServiceFiles(manager, PACKAGED_SERVICE[manager]),
);

/** Runs a tool that these tests cannot do without; a missing one fails the test by name. */
function run(
  tool: string,
  args: string[],
  options: { input?: string; env?: NodeJS.ProcessEnv } = {},
): { status: number | null; stdout: string; stderr: string } {
  const result = spawnSync(tool, args, { encoding: 'utf8', ...options });
  if (result.error !== undefined) {
    throw new Error(`These tests need ${tool}: ${result.error.message}`);
  }
  return result;
}

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-units-'));
});

afterAll(() => rm(directory, { recursive: true }));

describe('committed service files', () => {
  it.each(packaged)('$manager/$path is what the description renders to', async (file) => {
    const path = join(root, file.manager, file.path);
    expect(await readFile(path, 'utf8')).toBe(file.text);
    const { mode } = await stat(path);
    expect((mode & 0o111) !== 0).toBe(file.executable);
  });
});

/** Writes units that exist on this host (node, a program) and an application for them to gate. */
async function writeUnits(description: ServiceDescription): Promise<string> {
  const folder = await mkdtemp(join(directory, 'units-'));
  const application = '[Service]\nExecStart=/bin/true\n';
  await writeFile(join(folder, description.applicationUnit), application);
  for (const file of renderServiceFiles('systemd', description)) {
    await mkdir(dirname(join(folder, file.path)), { recursive: true });
    await writeFile(join(folder, file.path), file.text);
  }
  return folder;
}

const present: ServiceDescription = {
  ...PACKAGED_SERVICE.systemd,
  nodePath: process.execPath,
  programPath: join(root, 'bin/holdfast'),
};

describe('systemd units', () => {
  for (const [name, description] of [
    ['as packaged', present],
    [
      'with awkward paths',
      {
        ...present,
        dataDirectories: ['/srv/my data', '/srv/100%', '/srv/$HOME'],
        stateDirectory: '/srv/state',
        runtimeDirectory: '/srv/run time',
      },
    ],
  ] as const) {
    it(`are accepted by systemd without a word, ${name}`, async () => {
      const folder = await writeUnits(description);
      const units = ['holdfast.service', 'holdfast-recover.service', description.applicationUnit];
      for (const unit of units) {
        const verified = run('systemd-analyze', ['verify', '--man=no', join(folder, unit)], {
          env: { ...process.env, SYSTEMD_UNIT_PATH: `${folder}:` },
        });
        expect(verified.stderr).toBe('');
        expect(verified.status).toBe(0);
      }
    });
  }

  it.each(['holdfast.service', 'holdfast-recover.service'])(
    '%s has an exposure of at most 2.0',
    async (unit) => {
      const folder = await writeUnits(present);
      const rated = run('systemd-analyze', [
        'security',
        '--offline=true',
        '--threshold=20',
        join(folder, unit),
      ]);
      expect(rated.stdout).toContain('Overall exposure level');
      expect(rated.status).toBe(0);
    },
  );

  it('the application hangs on the gate, never on the daemon', () => {
    const units = new Map(
      renderServiceFiles('systemd', present).map(({ path, text }) => [path, parseUnit(text)]),
    );
    const gate = units.get('holdfast-recover.service')!;
    expect(gate.get('Unit.Before')).toEqual(['app.service']);
    expect(gate.get('Install.RequiredBy')).toEqual(['app.service']);
    const dropIn = units.get('app.service.d/holdfast.conf')!;
    expect(dropIn.get('Service.ExecStartPre')![0]).toContain('recover --if-needed');
    for (const key of ['Unit.Requires', 'Unit.BindsTo', 'Install.RequiredBy']) {
      expect(dropIn.get(key)).toBeUndefined();
      expect(units.get('holdfast.service')!.get(key)).toBeUndefined();
    }
  });
});

/** Keys that launchd.plist(5) documents and we use, with the type it expects. */
const PLIST_KEYS: Record<string, string> = {
  Label: 'str',
  ProgramArguments: 'list',
  UserName: 'str',
  GroupName: 'str',
  RunAtLoad: 'bool',
  KeepAlive: 'dict',
  ThrottleInterval: 'int',
  ExitTimeOut: 'int',
  ProcessType: 'str',
  LowPriorityIO: 'bool',
  Umask: 'int',
  StandardOutPath: 'str',
  StandardErrorPath: 'str',
};

const READ_PLIST = `
import json, plistlib, sys
job = plistlib.loads(sys.stdin.buffer.read())
print(json.dumps({"types": {key: type(value).__name__ for key, value in job.items()}, "job": job}))
`;

describe('launchd property list', () => {
  it('parses and holds only documented keys of the documented types', () => {
    const plist = packaged.find(({ path }) => path.endsWith('.plist'))!;
    const read = run('python3', ['-c', READ_PLIST], { input: plist.text });
    expect(read.stderr).toBe('');
    const { types, job } = JSON.parse(read.stdout) as {
      types: Record<string, string>;
      job: Record<string, unknown>;
    };
    expect(types).toEqual(PLIST_KEYS);
    expect(plist.path).toBe(`${job['Label']}.plist`);
    expect(job['Umask']).toBe(63);
    expect(job['KeepAlive']).toEqual({ SuccessfulExit: false });
  });

  it('escapes what XML would take for markup', () => {
    const awkward = '/srv/a<b>&c';
    const [plist] = renderServiceFiles('launchd', {
      ...PACKAGED_SERVICE.launchd,
      dataDirectories: [awkward],
    });
    const read = run('python3', ['-c', READ_PLIST], { input: plist!.text });
    expect(JSON.parse(read.stdout).job.ProgramArguments).toContain(awkward);
  });
});

describe('holdfast-gate.sh', () => {
  async function gate(exitCode: number): Promise<string> {
    const folder = await mkdtemp(join(directory, 'gate-'));
    const program = join(folder, "program's file.mjs");
    await writeFile(program, `process.exit(${exitCode});`);
    const files = renderServiceFiles('launchd', {
      ...PACKAGED_SERVICE.launchd,
      nodePath: process.execPath,
      programPath: program,
    });
    const path = join(folder, 'gate.sh');
    await writeFile(path, files.find((file) => file.executable)!.text, { mode: 0o755 });
    return path;
  }

  it('becomes the application once the databases are fit', async () => {
    const path = await gate(0);
    execFileSync('sh', ['-n', path]);
    const started = run('sh', [path, 'printf', '%s|', 'two words', 'end']);
    expect(started).toMatchObject({ status: 0, stdout: 'two words|end|' });
  });

  it('does not start the application otherwise, and hands on the reason', async () => {
    const path = await gate(12);
    const refused = run('sh', [path, 'echo', 'started']);
    expect(refused).toMatchObject({ status: 12, stdout: '' });
    expect(refused.stderr).toContain('echo is not started');
  });

  it('without an application to start is a usage error', async () => {
    expect(run('sh', [await gate(0)]).status).toBe(2);
  });
});
