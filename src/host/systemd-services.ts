import { commonArguments, type ServiceDescription, writablePaths } from './service-description.ts';
import { SANDBOX } from './systemd-sandbox.ts';
import { type UnitDirective, type UnitFile, unitArgument } from './systemd-unit.ts';

/** The systemd files of Holdfast (systemd.service(5), systemd.exec(5)). */

const commandLine = (description: ServiceDescription, ...rest: string[]): string =>
  [description.nodePath, description.programPath, ...rest, ...commonArguments(description)]
    .map(unitArgument)
    .join(' ');

/** `/var/lib/holdfast` → `holdfast`: StateDirectory= and RuntimeDirectory= take names below their base. */
function directoryDirectives(
  key: 'StateDirectory' | 'RuntimeDirectory',
  path: string,
): UnitDirective[] {
  const base = key === 'StateDirectory' ? '/var/lib/' : '/run/';
  if (!path.startsWith(base)) return [{ key: 'ReadWritePaths', value: unitArgument(path) }];
  return [
    { key, value: path.slice(base.length) },
    { key: `${key}Mode`, value: '0700' },
  ];
}

function writablePlaces(description: ServiceDescription): UnitDirective[] {
  return [
    ...directoryDirectives('StateDirectory', description.stateDirectory),
    ...directoryDirectives('RuntimeDirectory', description.runtimeDirectory),
    ...writablePaths(description).map((directory, index) => ({
      key: 'ReadWritePaths',
      value: unitArgument(directory),
      ...(index === 0
        ? {
            comment:
              'Every protected directory, whole: SQLite creates files beside a database, restores replace them.',
          }
        : {}),
    })),
  ];
}

const account = (description: ServiceDescription): UnitDirective[] => [
  {
    key: 'User',
    value: description.user,
    comment: "The application's own user: a file owned by another one could lock it out.",
  },
  { key: 'Group', value: description.group },
];

/** The daemon. */
export function daemonUnit(description: ServiceDescription): UnitFile {
  return {
    path: 'holdfast.service',
    comment:
      'Holdfast daemon. Rendered by "holdfast service print systemd --unit holdfast.service".\nNothing requires this unit: stopping it must not stop the application.',
    sections: [
      {
        name: 'Unit',
        directives: [
          { key: 'Description', value: 'Holdfast: snapshots and recovery of SQLite data' },
          { key: 'After', value: 'local-fs.target' },
          {
            key: 'RequiresMountsFor',
            value: [description.stateDirectory, ...writablePaths(description)]
              .map(unitArgument)
              .join(' '),
          },
          { key: 'StartLimitIntervalSec', value: '300' },
          { key: 'StartLimitBurst', value: '5' },
        ],
      },
      {
        name: 'Service',
        directives: [
          { key: 'Type', value: 'notify' },
          {
            key: 'NotifyAccess',
            value: 'all',
            comment:
              'Where libsystemd cannot be loaded, systemd-notify speaks under its own process id.',
          },
          { key: 'ExecStart', value: commandLine(description, 'daemon') },
          { key: 'WatchdogSec', value: String(description.watchdogSeconds) },
          {
            key: 'TimeoutStartSec',
            value: '120',
            comment: 'Recovery at boot asks for more while it makes progress.',
          },
          { key: 'TimeoutStopSec', value: String(description.stopSeconds) },
          {
            key: 'KillMode',
            value: 'mixed',
            comment: 'The daemon ends its workers itself, so that a swap is finished or undone.',
          },
          { key: 'Restart', value: 'on-failure' },
          { key: 'RestartSec', value: '2' },
          {
            key: 'RestartPreventExitStatus',
            value: '2',
            comment: 'An invalid configuration does not get better by itself.',
          },
          ...account(description),
          ...writablePlaces(description),
          ...SANDBOX,
        ],
      },
      { name: 'Install', directives: [{ key: 'WantedBy', value: 'multi-user.target' }] },
    ],
  };
}

/** The gate at boot: the application starts only after its databases were found or made fit. */
export function recoverUnit(description: ServiceDescription): UnitFile {
  return {
    path: 'holdfast-recover.service',
    comment:
      'Checks, and where needed recovers, the databases before the application starts.\nIt asks the daemon where one runs and works without it otherwise.',
    sections: [
      {
        name: 'Unit',
        directives: [
          {
            key: 'Description',
            value: 'Holdfast: databases are fit before the application starts',
          },
          { key: 'After', value: 'local-fs.target holdfast.service' },
          { key: 'Before', value: description.applicationUnit },
          {
            key: 'RequiresMountsFor',
            value: [description.stateDirectory, ...writablePaths(description)]
              .map(unitArgument)
              .join(' '),
          },
        ],
      },
      {
        name: 'Service',
        directives: [
          { key: 'Type', value: 'oneshot' },
          { key: 'RemainAfterExit', value: 'yes' },
          { key: 'ExecStart', value: commandLine(description, 'recover', '--if-needed') },
          {
            key: 'TimeoutStartSec',
            value: 'infinity',
            comment: 'Every database has a deadline of its own, by its size.',
          },
          ...account(description),
          ...directoryDirectives('StateDirectory', description.stateDirectory),
          ...writablePaths(description).map((directory) => ({
            key: 'ReadWritePaths',
            value: unitArgument(directory),
          })),
          ...SANDBOX,
        ],
      },
      {
        name: 'Install',
        directives: [
          {
            key: 'RequiredBy',
            value: description.applicationUnit,
            comment: 'A failed recovery keeps the application from starting on a damaged database.',
          },
        ],
      },
    ],
  };
}

/** A drop-in of the application: the same gate at every start, not only at boot. */
export function applicationDropIn(description: ServiceDescription): UnitFile {
  return {
    path: `${description.applicationUnit}.d/holdfast.conf`,
    comment:
      'Drop-in of the protected application: every start passes the gate, not only the one at boot.\nIf the unit sets ProtectSystem=strict, add ReadWritePaths= for the state directory of Holdfast.',
    sections: [
      {
        name: 'Unit',
        directives: [{ key: 'After', value: 'holdfast.service' }],
      },
      {
        name: 'Service',
        directives: [
          { key: 'ExecStartPre', value: commandLine(description, 'recover', '--if-needed') },
          {
            key: 'TimeoutStartSec',
            value: '30min',
            comment: 'The gate counts against it; a recovery takes longer than a start.',
          },
        ],
      },
    ],
  };
}

export const systemdFiles = (description: ServiceDescription): UnitFile[] => [
  daemonUnit(description),
  recoverUnit(description),
  applicationDropIn(description),
];
