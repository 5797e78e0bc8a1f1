import { PROTOCOL_VERSION } from '../../protocol/protocol-version.ts';
import type { CommandRun } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { printDocument } from '../report.ts';

/** `holdfast version`: of this client; `holdfast status` tells the daemon's. */
export const run: CommandRun<GlobalOptions> = async (context, _args, options) => {
  const document = {
    version: context.version,
    protocol: PROTOCOL_VERSION,
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
  };
  printDocument(
    context,
    options,
    document,
    ({ version, protocol, node, platform }) =>
      `holdfast ${version} (protocol ${protocol}, node ${node}, ${platform})`,
  );
  return EXIT.ok;
};
