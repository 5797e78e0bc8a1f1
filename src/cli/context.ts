import type { Clock } from '../kernel/clock.ts';
import type { DaemonConnection } from './daemon-connection.ts';
import type { ExitCode } from './exit-codes.ts';
import type { GlobalOptions } from './global-options.ts';
import type { Terminal } from './terminal.ts';

/** What every command is handed: nothing in `commands/` reaches for the process itself. */
export interface CommandContext {
  readonly terminal: Terminal;
  readonly environment: NodeJS.ProcessEnv;
  readonly clock: Clock;
  /** Aborted by Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
  readonly version: string;
  /** Absolute path of another program of this installation. @throws INTERNAL when it is missing */
  programPath(name: 'daemon' | 'worker'): string;
  /** @throws DAEMON_UNREACHABLE */
  connect(options: GlobalOptions): Promise<DaemonConnection>;
}

/** One command: arguments as they stand on the line, `[]` and undefined for what is absent. */
export type CommandRun<Options extends GlobalOptions = GlobalOptions> = (
  context: CommandContext,
  args: readonly (string | undefined)[],
  options: Options,
) => Promise<ExitCode>;

/** Runs `use` with a connection that is closed afterwards. @throws DAEMON_UNREACHABLE */
export async function withDaemon<T>(
  context: CommandContext,
  options: GlobalOptions,
  use: (daemon: DaemonConnection) => Promise<T>,
): Promise<T> {
  const daemon = await context.connect(options);
  try {
    return await use(daemon);
  } finally {
    daemon.close();
  }
}
