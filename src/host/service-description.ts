export type ServiceManager = 'systemd' | 'launchd';

/** The one description from which every service file, of systemd and of launchd, is rendered. */
export interface ServiceDescription {
  /** Absolute path of the node program. ExecStart must be node itself: a shell or npm between would hide its process id. */
  readonly nodePath: string;
  /** Absolute path of `bin/holdfast`. */
  readonly programPath: string;
  /** Whom the daemon runs as: the protected application's user, so that no file changes hands. */
  readonly user: string;
  readonly group: string;
  /** Absolute directories that restores and repairs write to; each whole, since SQLite creates files beside a database. */
  readonly dataDirectories: readonly string[];
  readonly stateDirectory: string;
  /** Null: inside the state directory. */
  readonly repositoryDirectory: string | null;
  /** Null: the data directories are all the configuration there is. */
  readonly configFile: string | null;
  readonly runtimeDirectory: string;
  /** The systemd unit of the protected application. */
  readonly applicationUnit: string;
  readonly watchdogSeconds: number;
  /** From SIGTERM to SIGKILL: covers the grace of a cancelled job and the end of a swap. */
  readonly stopSeconds: number;
  /** launchd's name of the daemon; its file is called after it. */
  readonly label: string;
}

const SHARED = {
  user: 'app',
  group: 'app',
  applicationUnit: 'app.service',
  watchdogSeconds: 60,
  stopSeconds: 120,
  label: 'dev.holdfast.daemon',
  repositoryDirectory: null,
  configFile: null,
} as const;

/** What the committed files hold: paths of a packaged installation and placeholders for the application. */
export const PACKAGED_SERVICE: Readonly<Record<ServiceManager, ServiceDescription>> = {
  systemd: {
    ...SHARED,
    nodePath: '/usr/bin/node',
    programPath: '/usr/lib/node_modules/holdfast/bin/holdfast',
    dataDirectories: ['/var/lib/app'],
    stateDirectory: '/var/lib/holdfast',
    runtimeDirectory: '/run/holdfast',
  },
  launchd: {
    ...SHARED,
    nodePath: '/usr/local/bin/node',
    programPath: '/usr/local/lib/node_modules/holdfast/bin/holdfast',
    dataDirectories: ['/usr/local/var/app'],
    stateDirectory: '/usr/local/var/holdfast',
    // macOS has no /run, and empties /var/run at boot without making folders in it.
    runtimeDirectory: '/usr/local/var/holdfast/run',
  },
};

export const socketOf = (description: ServiceDescription): string =>
  `${description.runtimeDirectory}/holdfast.sock`;

/** Arguments after `bin/holdfast` that make every command meet the same daemon. A configuration file names the sources itself. */
export function commonArguments(description: ServiceDescription): string[] {
  const { configFile, dataDirectories, stateDirectory, repositoryDirectory } = description;
  const sources =
    configFile === null
      ? dataDirectories.flatMap((directory) => ['--data', directory])
      : ['--config', configFile];
  return [
    ...sources,
    '--state',
    stateDirectory,
    ...(repositoryDirectory === null ? [] : ['--repository', repositoryDirectory]),
    '--socket',
    socketOf(description),
  ];
}

/** What the daemon and its workers write to, beside the runtime directory. */
export const writablePaths = (description: ServiceDescription): string[] => [
  ...description.dataDirectories,
  ...(description.repositoryDirectory === null ? [] : [description.repositoryDirectory]),
];
