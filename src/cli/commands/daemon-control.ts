import { type CommandRun, withDaemon } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { printDocument } from '../report.ts';

/** `holdfast stop` */
export const stop: CommandRun<GlobalOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    const answer = await daemon.call('daemon.shutdown', {});
    printDocument(context, options, answer, () => 'The daemon stops.');
    return EXIT.ok;
  });

/** `holdfast restart` */
export const restart: CommandRun<GlobalOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    const answer = await daemon.call('daemon.restart', {});
    printDocument(context, options, answer, ({ supervised }) =>
      supervised
        ? 'The daemon stops, and its supervisor starts it again.'
        : 'The daemon stops with exit code 75; it has no supervisor that would start it again.',
    );
    return EXIT.ok;
  });

/** `holdfast update-info` */
export const updateInfo: CommandRun<GlobalOptions> = (context, _args, options) =>
  withDaemon(context, options, async (daemon) => {
    const answer = await daemon.call('daemon.updateInfo', {});
    printDocument(context, options, answer, ({ version, available, newer }) =>
      newer && available !== null
        ? `Version ${available.version} is there; this is ${version}.${available.url === null ? '' : ` ${available.url}`}`
        : `This is version ${version}; no newer one was announced.`,
    );
    return EXIT.ok;
  });
