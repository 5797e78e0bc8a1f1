import type { DaemonStatus } from '../protocol/method-map.ts';

export type BootPhase = DaemonStatus['bootPhase'];

/** Where boot is, for `status` and for whoever is told when it moves on. */
/** Why a source has no databases to start with. */
export interface BootstrapFailure {
  readonly sourceId: string;
  readonly message: string;
}

export class BootProgress {
  #phase: BootPhase = 'starting';
  #progress: DaemonStatus['bootProgress'] = null;
  #bootstrapFailures: readonly BootstrapFailure[] = [];
  readonly #onPhase: (phase: BootPhase) => void;

  constructor(onPhase: (phase: BootPhase) => void) {
    this.#onPhase = onPhase;
  }

  get phase(): BootPhase {
    return this.#phase;
  }

  get ready(): boolean {
    return this.#phase === 'ready';
  }

  get progress(): DaemonStatus['bootProgress'] {
    return this.#progress;
  }

  /** Of the last try; boot waits until there are none. */
  get bootstrapFailures(): readonly BootstrapFailure[] {
    return this.#bootstrapFailures;
  }

  noteBootstrap(failures: readonly BootstrapFailure[]): void {
    this.#bootstrapFailures = failures;
  }

  enter(phase: BootPhase): void {
    this.#phase = phase;
    this.#progress = null;
    this.#onPhase(phase);
  }

  /** One more of `total` steps of this phase begins. */
  step(message: string, done: number, total: number): void {
    this.#progress = { message, done, total };
  }
}
