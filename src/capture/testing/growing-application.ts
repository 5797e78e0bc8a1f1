import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import Database from 'better-sqlite3';
import { testSource } from '../../config/testing/settings.ts';
import { quietActivity } from '../../kernel/activity.ts';
import { systemClock } from '../../kernel/clock.ts';
import type { Manifest } from '../../store/manifests/manifest.ts';
import { initRepository, openWriter } from '../../store/repository.ts';
import { captureSource } from '../capture-source.ts';

/** What one snapshot added to its repository: bytes of files, the very same for the same seed. */
export interface Added {
  readonly packBytes: number;
  readonly manifestBytes: number;
  readonly catalogBytes: number;
  readonly totalBytes: number;
  readonly chunksNew: number;
  readonly chunksDelta: number;
}

/** Of a table without anything random in it but from a seed. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** An application with one database of orders, half text and half bytes that do not compress, and its repository. */
export class GrowingApplication {
  readonly #directory: string;
  readonly #random: (below: number) => number;
  #rows = 0;
  #parent: { id: string; manifest: Manifest } | null = null;

  private constructor(directory: string, seed: number) {
    this.#directory = directory;
    this.#random = randomFrom(seed);
  }

  static async create(
    directory: string,
    { rows, seed }: { rows: number; seed: number },
  ): Promise<GrowingApplication> {
    for (const name of ['data', 'scratch']) mkdirSync(join(directory, name), { recursive: true });
    const application = new GrowingApplication(directory, seed);
    await initRepository(application.#repository, { clock: systemClock });
    application.change((database) => {
      database.exec(
        `CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, state INTEGER, note TEXT, payload BLOB);
         CREATE INDEX orders_customer ON orders (customer);`,
      );
    });
    application.append(rows);
    return application;
  }

  get #repository(): string {
    return join(this.#directory, 'repository');
  }

  get databasePath(): string {
    return join(this.#directory, 'data', 'app.db');
  }

  /** One transaction; the database is closed again afterwards, as a capture in this process wants it. */
  change(run: (database: Database.Database) => void): void {
    const database = new Database(this.databasePath);
    database.pragma('synchronous = OFF');
    database.transaction(() => run(database))();
    database.close();
  }

  /** Appends rows. Returns what they take, compressed by themselves. */
  append(rows: number): number {
    const written: Buffer[] = [];
    this.change((database) => {
      const insert = database.prepare(
        'INSERT INTO orders (id, customer, state, note, payload) VALUES (?, ?, ?, ?, ?)',
      );
      for (let index = 0; index < rows; index++) {
        this.#rows += 1;
        const customer = this.#random(100_000);
        const note = `order ${this.#rows} of customer ${customer}, to be delivered soon. `.repeat(
          8,
        );
        const payload = Buffer.from(Array.from({ length: 300 }, () => this.#random(256)));
        insert.run(this.#rows, customer, this.#state(), note, payload);
        written.push(Buffer.from(`${this.#rows} ${customer} ${note}`), payload);
      }
    });
    const params = { [constants.BROTLI_PARAM_QUALITY]: 1 };
    return brotliCompressSync(Buffer.concat(written), { params }).length;
  }

  /** Updates one field of rows drawn from the first `among`. */
  update(count: number, among = this.#rows): void {
    this.#updateField('state', () => this.#state(), count, among);
  }

  /** The same with a field that is in an index. */
  updateIndexed(count: number, among = this.#rows): void {
    this.#updateField('customer', () => this.#random(100_000), count, among);
  }

  #updateField(name: string, value: () => number, count: number, among: number): void {
    this.change((database) => {
      const update = database.prepare(`UPDATE orders SET ${name} = ? WHERE id = ?`);
      for (let index = 0; index < count; index++) update.run(value(), 1 + this.#random(among));
    });
  }

  /** Two bytes in a row, always. */
  #state(): number {
    return 1000 + this.#random(30_000);
  }

  /** Writes the payloads of rows drawn from the first `among` anew. */
  rewrite(count: number, among: number): void {
    this.change((database) => {
      const update = database.prepare('UPDATE orders SET payload = ? WHERE id = ?');
      for (let index = 0; index < count; index++) {
        const payload = Buffer.from(Array.from({ length: 300 }, () => this.#random(256)));
        update.run(payload, 1 + this.#random(among));
      }
    });
  }

  /** Takes a snapshot, by a writer of its own. */
  async capture(): Promise<Added> {
    const before = this.#sizes();
    const writer = await openWriter(this.#repository, {
      codec: 'brotli',
      verifyWrites: 'sample',
      clock: systemClock,
      lockWaitMs: 0,
      purpose: 'test',
    });
    try {
      this.#parent = await captureSource(
        {
          source: testSource({
            roots: [
              { class: 'data', name: null, path: join(this.#directory, 'data'), required: true },
            ],
          }),
          type: 'full',
          origin: 'manual',
          reason: null,
          jobId: null,
          parent: this.#parent,
          forbiddenPaths: [this.#repository, join(this.#directory, 'scratch')],
          scratchDirectory: join(this.#directory, 'scratch'),
          toolVersion: '1.0.0',
        },
        writer,
        quietActivity(),
        systemClock,
      );
    } finally {
      await writer.close();
    }
    return this.#addedSince(before, this.#parent.manifest);
  }

  #addedSince(before: Sizes, { statistics }: Manifest): Added {
    const after = this.#sizes();
    const { chunksNew, chunksDelta } = statistics;
    const packBytes = after.packs - before.packs;
    const manifestBytes = after.manifests - before.manifests;
    const catalogBytes = after.catalog - before.catalog;
    const totalBytes = packBytes + manifestBytes + catalogBytes;
    return { packBytes, manifestBytes, catalogBytes, totalBytes, chunksNew, chunksDelta };
  }

  #sizes(): Sizes {
    const catalog = readdirSync(this.#repository).filter((name) => name.startsWith('catalog.db'));
    return {
      packs: bytesBelow(join(this.#repository, 'packs')),
      manifests: bytesBelow(join(this.#repository, 'snapshots')),
      catalog: catalog.reduce((sum, name) => sum + statSync(join(this.#repository, name)).size, 0),
    };
  }
}

interface Sizes {
  readonly packs: number;
  readonly manifests: number;
  readonly catalog: number;
}

function bytesBelow(directory: string): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
