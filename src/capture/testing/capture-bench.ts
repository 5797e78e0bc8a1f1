import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../kernel/clock.ts';
import { freshDirectory, removeDirectory } from '../../sqlite/testing/directories.ts';
import { SqliteChild } from '../../sqlite/testing/processes.ts';
import { initRepository, openWriter } from '../../store/repository.ts';
import type { StoreWriter } from '../../store/store.ts';

export interface CaptureBench {
  /** Holds `data`, `scratch` and `repository`. */
  readonly directory: string;
  readonly writer: StoreWriter;
  /** Has `data/<database>` open, in a process of its own. */
  readonly application: SqliteChild;
}

/** An application with a database, and a writer of a new repository. */
export async function captureBench(database = 'app.db'): Promise<CaptureBench> {
  const directory = freshDirectory();
  for (const name of ['data', 'scratch']) mkdirSync(join(directory, name));
  const repository = join(directory, 'repository');
  await initRepository(repository, { clock: systemClock });
  const writer = await openWriter(repository, {
    codec: 'auto',
    verifyWrites: 'sample',
    clock: systemClock,
    lockWaitMs: 0,
    purpose: 'test',
  });
  const application = SqliteChild.start();
  await application.open(join(directory, 'data', database));
  return { directory, writer, application };
}

/** Ends the process first: it has files in the directory open. */
export async function removeBench({ directory, writer, application }: CaptureBench): Promise<void> {
  await application.kill();
  await writer.close();
  removeDirectory(directory);
}
