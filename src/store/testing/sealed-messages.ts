import { createHash } from 'node:crypto';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { NONCE_BYTES } from '../encryption/sealing-key.ts';
import { packNameOf } from '../layout.ts';
import { scanPack } from '../packs/pack-index.ts';
import { allFiles } from './encrypted-repository.ts';

/** Every sealed message of encrypted repositories, by its nonce. */
export class SealedMessages {
  /** Nonce → digest of the sealed bytes. */
  readonly #byNonce = new Map<string, string>();
  /** Nonces of more than one message. */
  readonly repeated: string[] = [];

  get distinct(): number {
    return this.#byNonce.size;
  }

  /** Messages that were met already, in a copy or at another place, are the same ones. */
  add(sealed: Buffer): void {
    const nonce = sealed.toString('hex', 0, NONCE_BYTES);
    const digest = createHash('sha256').update(sealed).digest('hex');
    const known = this.#byNonce.get(nonce);
    if (known !== undefined && known !== digest) this.repeated.push(nonce);
    this.#byNonce.set(nonce, digest);
  }

  /** Records, manifests, notes, summaries, head and key slots. */
  async addRepository(path: string): Promise<void> {
    for (const { path: file, bytes } of await allFiles(path)) {
      const name = file.slice(file.lastIndexOf('/') + 1);
      if (packNameOf(name) !== null) {
        for (const { stored } of scanPack(bytes)) this.add(Buffer.from(stored));
      } else if (name.endsWith('.json')) {
        const { sealed, wrapped } = JSON.parse(bytes.toString('utf8')) as Record<string, string>;
        if (sealed !== undefined) this.add(Buffer.from(sealed, 'base64'));
        if (wrapped !== undefined) this.add(Buffer.from(wrapped, 'hex'));
      }
    }
    const catalog = new Database(join(path, 'catalog.db'), { readonly: true });
    const summaries = catalog.prepare('SELECT summary FROM snapshots').pluck().all() as string[];
    for (const summary of summaries) this.add(Buffer.from(summary, 'base64'));
    catalog.close();
  }
}

/** How many of the nonces in `all` (24 bytes each) are there more than once. */
export function repeatedNonces(all: Buffer): number {
  const count = all.length / NONCE_BYTES;
  const starts = new Float64Array(count);
  for (let at = 0; at < count; at += 1) starts[at] = all.readUIntBE(at * NONCE_BYTES, 6);
  starts.sort();
  const doubtful = new Set<number>();
  for (let at = 1; at < count; at += 1) {
    if (starts[at] === starts[at - 1]) doubtful.add(starts[at]!);
  }
  if (doubtful.size === 0) return 0;
  // Six equal bytes are no repetition yet: of a few million, a pair of them may well have those.
  const seen = new Set<string>();
  let repeated = 0;
  for (let at = 0; at < count; at += 1) {
    if (!doubtful.has(all.readUIntBE(at * NONCE_BYTES, 6))) continue;
    const nonce = all.toString('latin1', at * NONCE_BYTES, (at + 1) * NONCE_BYTES);
    if (seen.has(nonce)) repeated += 1;
    seen.add(nonce);
  }
  return repeated;
}
