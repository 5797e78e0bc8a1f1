import { type FileHandle, open } from 'node:fs/promises';
import { devNull } from 'node:os';
import { type DurableStep, observeDurableSteps } from '../../src/files/durable-steps.ts';

/** How the disk answers: a system error, or a write that ends half-way for want of room. */
export const FAULT_CODES = ['ENOSPC', 'EIO', 'EROFS', 'EACCES', 'EDQUOT', 'SHORT_WRITE'] as const;
export type FaultCode = (typeof FAULT_CODES)[number];

export interface Fault {
  /** The durable step that fails, counted from 1. */
  readonly step: number;
  readonly code: FaultCode;
  /** Whether every step after it fails too, until the disk is mended. */
  readonly lasting: boolean;
  /** `after`: it was carried out, and reported as failed all the same. */
  readonly moment: 'before' | 'after';
}

export interface MetStep {
  readonly step: DurableStep;
  readonly path: string;
  /** Whether it was made to fail; what would have failed anyway is not. */
  failed: boolean;
}

/** What SQLite says where the system said so. */
const SQLITE_CODES: Readonly<Record<FaultCode, string>> = {
  ENOSPC: 'SQLITE_FULL',
  SHORT_WRITE: 'SQLITE_FULL',
  EDQUOT: 'SQLITE_FULL',
  EIO: 'SQLITE_IOERR_FSYNC',
  EROFS: 'SQLITE_READONLY',
  EACCES: 'SQLITE_CANTOPEN',
};

export function faultError(code: string, step: string, path: string): Error {
  return Object.assign(new Error(`${code}: made to fail, ${step} '${path}'`), { code });
}

/** Lets a fault have its way with everything that runs until `stop`. One at a time, for the whole process. */
export class FaultInjector {
  readonly steps: MetStep[] = [];
  readonly #fault: Fault | null;
  readonly #shortWrites: ShortWrites;
  #count = 0;
  /** Steps that are under way, by what they are: several may be at once. */
  readonly #underWay = new Map<string, number[]>();

  private constructor(fault: Fault | null, shortWrites: ShortWrites) {
    this.#fault = fault;
    this.#shortWrites = shortWrites;
  }

  /** Null: only counts. */
  static async start(fault: Fault | null): Promise<FaultInjector> {
    const injector = new FaultInjector(fault, await ShortWrites.prepare());
    observeDurableSteps((step, path, moment) => injector.#meet(step, path, moment));
    return injector;
  }

  stop(): void {
    observeDurableSteps(null);
    this.#shortWrites.stop();
  }

  #numberOf(name: string, moment: 'before' | 'after'): number {
    const numbers = this.#underWay.get(name) ?? [];
    if (moment === 'after') return numbers.pop() ?? 0;
    this.#count += 1;
    this.#underWay.set(name, [...numbers, this.#count]);
    return this.#count;
  }

  #meet(step: DurableStep, path: string, moment: 'before' | 'after'): void {
    const number = this.#numberOf(`${step} ${path}`, moment);
    if (moment === 'before') this.steps.push({ step, path, failed: false });
    const fault = this.#fault;
    if (fault === null || number < fault.step || (number > fault.step && !fault.lasting)) return;
    const short = fault.code === 'SHORT_WRITE' && step === 'write';
    if (short && moment === 'before') {
      this.#shortWrites.arm(() => {
        this.steps[number - 1]!.failed = true;
      });
      return;
    }
    const code = fault.code === 'SHORT_WRITE' ? 'ENOSPC' : fault.code;
    // A write that could not be cut short, since it goes through no handle, was too long all the same.
    const applies = short ? this.#shortWrites.disarm() : moment === fault.moment;
    if (!applies) return;
    this.steps[number - 1]!.failed = true;
    const said = step === 'sqlite-commit' ? SQLITE_CODES[fault.code] : code;
    throw faultError(said, step, path);
  }
}

type Write = (
  this: FileHandle,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number | null,
) => Promise<unknown>;
type WriteFile = FileHandle['writeFile'];

/** Cuts the next write through any handle in half. */
class ShortWrites {
  readonly #prototype: { write: Write; writeFile: WriteFile };
  readonly #write: Write;
  readonly #writeFile: WriteFile;
  #armed = false;
  #onCut: () => void = () => {};

  private constructor(prototype: { write: Write; writeFile: WriteFile }) {
    this.#prototype = prototype;
    this.#write = prototype.write;
    this.#writeFile = prototype.writeFile;
    const self = this;
    prototype.write = async function (this: FileHandle, ...parameters: any[]) {
      if (!self.#cut()) return self.#write.apply(this, parameters as never);
      const [buffer, offset = 0, length = buffer.byteLength - offset, position] = parameters;
      await self.#write.call(this, buffer, offset, length >> 1, position);
      throw faultError('ENOSPC', 'write', 'half of it');
    } as Write;
    prototype.writeFile = async function (this: FileHandle, ...parameters: any[]) {
      const [content] = parameters;
      if (!self.#cuts(content)) return self.#writeFile.apply(this, parameters as never);
      self.#cut();
      const bytes = Buffer.from(content as never);
      await self.#write.call(this, bytes, 0, bytes.length >> 1, null);
      throw faultError('ENOSPC', 'write', 'half of it');
    } as WriteFile;
  }

  static async prepare(): Promise<ShortWrites> {
    const handle = await open(devNull);
    await handle.close();
    return new ShortWrites(Object.getPrototypeOf(handle));
  }

  arm(onCut: () => void): void {
    this.#armed = true;
    this.#onCut = onCut;
  }

  #cut(): boolean {
    const armed = this.disarm();
    if (armed) this.#onCut();
    return armed;
  }

  /** True when it was armed, and nothing was written since. */
  disarm(): boolean {
    const armed = this.#armed;
    this.#armed = false;
    return armed;
  }

  stop(): void {
    this.#prototype.write = this.#write;
    this.#prototype.writeFile = this.#writeFile;
  }

  #cuts(content: unknown): boolean {
    return this.#armed && (typeof content === 'string' || content instanceof Uint8Array);
  }
}
