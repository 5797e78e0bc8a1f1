import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileDurably } from '../files/durable.ts';
import { isoTime } from '../kernel/clock.ts';
import { cannot, messageOf, systemCode } from '../kernel/errors.ts';

/** Values that must not be in a configuration file: written by people, read by workers, shown to nobody. */

export const SECRETS_NAME = 'secrets.json';
export const SECRETS_MAX = 100;
export const SECRET_BYTES_MAX = 16 * 1024;
const FILE_BYTES_MAX = 4 * 1024 * 1024;

export interface SecretListing {
  readonly name: string;
  /** ISO 8601. */
  readonly setAt: string;
}

const secretsFile = z.strictObject({
  format: z.literal(1),
  secrets: z.record(z.string(), z.strictObject({ setAt: z.string(), value: z.base64() })),
});
type Secrets = z.infer<typeof secretsFile>['secrets'];

/** One writer: changes of one daemon follow each other, and the instance lock keeps a second one away. */
let writing: Promise<unknown> = Promise.resolve();

export class SecretStore {
  readonly #path: string;

  constructor(stateDirectory: string) {
    this.#path = join(stateDirectory, SECRETS_NAME);
  }

  /** @throws LIMIT_EXCEEDED; IO_ERROR where what is there cannot be read: it is then left as it is */
  set(name: string, value: Buffer, nowMs: number): Promise<void> {
    if (value.length > SECRET_BYTES_MAX) {
      throw cannot(
        'LIMIT_EXCEEDED',
        'keep secret',
        name,
        `it is larger than ${SECRET_BYTES_MAX} bytes`,
      );
    }
    return this.#change((secrets) => {
      const next = {
        ...secrets,
        [name]: { setAt: isoTime(nowMs), value: value.toString('base64') },
      };
      if (Object.keys(next).length > SECRETS_MAX) {
        throw cannot('LIMIT_EXCEEDED', 'keep secret', name, `there are ${SECRETS_MAX} already`, {
          hint: 'Clear those that nothing needs.',
        });
      }
      return next;
    });
  }

  /** @throws NOT_FOUND; IO_ERROR as `set` does */
  clear(name: string): Promise<void> {
    return this.#change((secrets) => {
      if (!Object.hasOwn(secrets, name)) {
        throw cannot('NOT_FOUND', 'clear secret', name, 'there is none of this name');
      }
      const { [name]: _, ...others } = secrets;
      return others;
    });
  }

  /** Names and times, never values. @throws IO_ERROR */
  async list(): Promise<SecretListing[]> {
    const secrets = await this.#load();
    const names = Object.keys(secrets).sort();
    return names.map((name) => ({ name, setAt: secrets[name]!.setAt }));
  }

  /** For workers. Null: there is none of this name. @throws IO_ERROR */
  async read(name: string): Promise<Buffer | null> {
    const secrets = await this.#load();
    return Object.hasOwn(secrets, name) ? Buffer.from(secrets[name]!.value, 'base64') : null;
  }

  /** Reads, changes, writes. Whatever cannot be read is never written over. */
  #change(change: (secrets: Secrets) => Secrets): Promise<void> {
    const work = writing.then(async () => {
      const secrets = change(await this.#load());
      await writeFileDurably(this.#path, `${JSON.stringify({ format: 1, secrets })}\n`);
    });
    writing = work.catch(() => {});
    return work;
  }

  async #load(): Promise<Secrets> {
    let text: string;
    try {
      text = await readBounded(this.#path);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return {};
      throw this.#unreadable(messageOf(error), error);
    }
    try {
      return secretsFile.parse(JSON.parse(text)).secrets;
    } catch {
      // Neither the parser's words nor the cause: they may quote what is in the file.
      throw this.#unreadable('it is damaged', undefined);
    }
  }

  #unreadable(state: string, cause: unknown): Error {
    return cannot('IO_ERROR', 'read secrets', this.#path, state, {
      hint: 'Nothing is written over it. Repair it, or move it away and set the secrets anew.',
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

async function readBounded(path: string): Promise<string> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    if (size > FILE_BYTES_MAX) throw new Error('it is far too large');
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}
