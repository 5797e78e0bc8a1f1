import type { CommandRun } from '../context.ts';
import type { DatabaseInUse } from '../doctor/examine-processes.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../global-options.ts';
import { printJson } from '../report.ts';

/** A root as `depth:path`. */
function parseRoot(argument: string): { depth: number; path: string } {
  const colon = argument.indexOf(':');
  return { depth: Number(argument.slice(0, colon)), path: argument.slice(colon + 1) };
}

/**
 * What doctor runs in a child: finds the databases below roots, and who has them open. Reading a database file and
 * closing it again drops the locks a process holds on it, so this is done where no locks are held.
 */
export const run: CommandRun<GlobalOptions> = async (context, args, _options) => {
  const { discoverDatabases } = await import('../../sqlite/discover.ts');
  const { findDatabaseUsers } = await import('../../sqlite/database-users.ts');
  const databases: DatabaseInUse[] = [];
  for (const argument of args) {
    if (argument === undefined) continue;
    const { depth, path } = parseRoot(argument);
    for (const database of await discoverDatabases(path, { depth })) {
      databases.push({ path: database, users: await findDatabaseUsers(database) });
    }
  }
  printJson(context, { databases });
  return EXIT.ok;
};
