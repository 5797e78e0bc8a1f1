import { identify } from '../files/entry-identity.ts';
import { cannot } from '../kernel/errors.ts';
import { holdExclusively } from '../sqlite/database-use.ts';
import { type DatabaseUser, findDatabaseUsers } from '../sqlite/database-users.ts';
import { type FamilyStat, sameFamilyContent, statFamily } from '../sqlite/family.ts';
import type { RestorePlan } from './restore-request.ts';

export interface DatabaseInUse {
  readonly path: string;
  readonly users: readonly DatabaseUser[];
}

/** Keeps a restore and an application apart: databases in use are not replaced, and none is opened meanwhile. */
export class BusyGuard {
  /** Databases that stand where the plan writes. */
  readonly #targets: readonly string[];
  readonly #expected: ReadonlyMap<string, FamilyStat>;
  readonly #holds: { release(): void }[] = [];

  /** `expected`: of databases that must not have been written since, since what replaces them was made from them. */
  constructor(
    targets: readonly string[],
    expected: ReadonlyMap<string, FamilyStat> = new Map<string, FamilyStat>(),
  ) {
    this.#targets = targets;
    this.#expected = expected;
  }

  static forPlan({ entries, deletions }: RestorePlan): BusyGuard {
    const replaced = entries.filter(
      ({ action, family, insideNew }) => action === 'overwrite' && family && !insideNew,
    );
    const made = entries.filter(({ action, type }) => action === 'create' && type === 'database');
    const removed = deletions.filter(({ family }) => family);
    return new BusyGuard([...replaced, ...made, ...removed].map(({ target }) => target));
  }

  /** Databases to be replaced that other processes have open. */
  async findUsed(): Promise<DatabaseInUse[]> {
    const used: DatabaseInUse[] = [];
    for (const path of this.#targets) {
      const users = await findDatabaseUsers(path);
      if (users.length > 0) used.push({ path, users });
    }
    return used;
  }

  /** @throws TARGET_BUSY naming databases, commands and process ids */
  async requireFree(): Promise<void> {
    const used = await this.findUsed();
    const [first] = used;
    if (first === undefined) return;
    const names = first.users.map(({ pid, command }) => `${command} (${pid})`).join(', ');
    throw cannot('TARGET_BUSY', 'replace database', first.path, `it is open in ${names}`, {
      hint: 'Stop the application that uses it, or stage the restore: it is applied when the database is free.',
      retryable: true,
      details: { databases: used },
    });
  }

  /**
   * Locks every database to be replaced until release(). `scratchOf` gives a directory on the database's file
   * system. Nobody may open or close a descriptor of them in this process meanwhile.
   * @throws TARGET_BUSY
   */
  async hold(scratchOf: (target: string) => Promise<string>): Promise<void> {
    for (const path of this.#targets) {
      if ((await identify(path))?.kind === 'file') {
        this.#holds.push(await holdExclusively(path, await scratchOf(path)));
      }
      const expected = this.#expected.get(path);
      if (expected === undefined || sameFamilyContent(expected, await statFamily(path))) continue;
      throw cannot('TARGET_BUSY', 'replace database', path, 'it was written to meanwhile', {
        hint: 'Stop the application that uses it, then try again.',
        retryable: true,
      });
    }
  }

  release(): void {
    for (const hold of this.#holds.splice(0)) hold.release();
  }
}
