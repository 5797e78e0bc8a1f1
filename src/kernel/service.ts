/** A long-lived part of the daemon. */
export interface Service {
  readonly name: string;
  /** Resolves once the service does its work; rejects if it cannot. */
  start(): Promise<void>;
  /** Stops taking work, finishes or cancels what runs, releases everything. Idempotent. */
  stop(deadlineMs: number): Promise<void>;
}
