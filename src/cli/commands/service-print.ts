import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SOCKET_NAME } from '../../config/default-paths.ts';
import {
  PACKAGED_SERVICE,
  type ServiceDescription,
  type ServiceManager,
} from '../../host/service-description.ts';
import { renderServiceFiles } from '../../host/service-files.ts';
import { cannot } from '../../kernel/errors.ts';
import type { CommandRun } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { printJson } from '../report.ts';

interface PrintOptions extends GlobalOptions {
  readonly unit?: string;
  readonly node?: string;
  readonly program?: string;
  readonly user?: string;
  readonly group?: string;
  readonly application?: string;
}

/** Bundled, this file is in `dist/cli/`; as source, in `src/cli/commands/`. */
function ownProgram(): string | null {
  const here = dirname(fileURLToPath(import.meta.url));
  const candidates = ['../../bin/holdfast', '../../../bin/holdfast'].map((path) =>
    resolve(here, path),
  );
  return candidates.find((path) => existsSync(path)) ?? null;
}

function describe(manager: ServiceManager, options: PrintOptions): ServiceDescription {
  const packaged = PACKAGED_SERVICE[manager];
  const user = options.user ?? (userInfo().uid === 0 ? packaged.user : userInfo().username);
  const { application, socket } = options;
  const absolute = (path: string): string => (isAbsolute(path) ? path : resolve(path));
  if (socket !== undefined && basename(socket) !== SOCKET_NAME) {
    throw cannot(
      'INVALID_PARAMS',
      'print service with socket',
      socket,
      'its directory is the only choice',
      {
        hint: `Call it ${SOCKET_NAME}.`,
      },
    );
  }
  return {
    ...packaged,
    nodePath: absolute(options.node ?? process.execPath),
    programPath: absolute(options.program ?? ownProgram() ?? packaged.programPath),
    user,
    group: options.group ?? user,
    dataDirectories: options.data?.map(absolute) ?? packaged.dataDirectories,
    stateDirectory: absolute(options.state ?? packaged.stateDirectory),
    repositoryDirectory: options.repository === undefined ? null : absolute(options.repository),
    configFile: options.config === undefined ? null : absolute(options.config),
    runtimeDirectory: socket === undefined ? packaged.runtimeDirectory : dirname(absolute(socket)),
    applicationUnit:
      application === undefined
        ? packaged.applicationUnit
        : application.includes('.')
          ? application
          : `${application}.service`,
  };
}

/** `holdfast service print [systemd|launchd] [--unit NAME]`: service files for this installation. */
export const run: CommandRun<PrintOptions> = async (context, [chosen], options) => {
  const manager = (chosen ??
    (process.platform === 'darwin' ? 'launchd' : 'systemd')) as ServiceManager;
  const files = renderServiceFiles(manager, describe(manager, options));
  const wanted = files.filter(({ path }) => options.unit === undefined || path === options.unit);
  if (wanted.length === 0) {
    throw cannot('NOT_FOUND', 'print unit', options.unit ?? '', 'there is no such file', {
      hint: `There are: ${files.map(({ path }) => path).join(', ')}.`,
    });
  }
  if (options.json === true) {
    const items = wanted.map(({ path, text, executable }) => ({
      path: join(manager, path),
      text,
      executable,
    }));
    printJson(context, { items, nextCursor: null });
    return EXIT.ok;
  }
  const single = wanted.length === 1;
  const shown = wanted.map(({ path, text }) => (single ? text : `# ---- ${path}\n${text}`));
  context.terminal.out(shown.join('\n').trimEnd());
  return EXIT.ok;
};
