import { createRequire } from 'node:module';
import type { SettingsFlags } from '../../config/load-settings.ts';
import type { CommandRun } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';

interface DaemonOptions extends GlobalOptions {
  readonly logLevel?: string;
  readonly watch?: boolean;
}

/** What `dist/daemon.js` exports. */
interface DaemonProgram {
  runDaemon(flags: SettingsFlags): Promise<number>;
}

/** Becomes the daemon, in the foreground. */
export const run: CommandRun<DaemonOptions> = async (context, _args, options) => {
  const { config, data, repository, keyFile, passphraseFile, state, socket } = options;
  const daemon = createRequire(import.meta.url)(context.programPath('daemon')) as DaemonProgram;
  const exitCode = await daemon.runDaemon({
    config,
    data,
    repository,
    keyFile,
    passphraseFile,
    state,
    socket,
    logLevel: options.logLevel,
    watch: options.watch,
  });
  return exitCode === 0 ? EXIT.ok : (exitCode as ExitCode);
};
