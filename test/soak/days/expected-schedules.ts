import type { JobDocument } from '../../../src/protocol/method-map.ts';

/** When schedules must have fired, found out by looking at the clocks minute by minute. Nothing of src/triggers is used. */

export interface ExpectedScheduleKind {
  readonly source: string | null;
  readonly id: string;
  readonly kind: JobDocument['kind'];
  /** Five fields of numbers, `*` and steps; and a time zone. */
  readonly cron?: readonly [expression: string, timeZone: string];
  readonly intervalMs?: number;
}

const MINUTE_MS = 60_000;
/** All expressions name minutes that are a multiple of five. */
const STEP_MS = 5 * MINUTE_MS;
/** The scheduler looks at the wall this often: only then can it know that it was set. */
const LOOK_MS = 30_000;
/** Made up for by nothing where it was missed. */
const NOT_CAUGHT_UP: ReadonlySet<string> = new Set(['forget', 'prune', 'check']);

export class ExpectedSchedule {
  readonly kind: ExpectedScheduleKind;
  /** Ticks that must have become jobs since they were last asked for. */
  #fired: number[] = [];
  readonly #everFired = new Set<number>();
  #nextMs = 0;
  /** After the clock was set back: the next tick is within LOOK_MS after `#nextMs`. */
  #isVague = false;
  readonly #clock: Intl.DateTimeFormat | null;

  constructor(kind: ExpectedScheduleKind, startMs: number) {
    this.kind = kind;
    this.#nextMs = startMs + (kind.intervalMs ?? 0);
    this.#clock =
      kind.cron === undefined
        ? null
        : new Intl.DateTimeFormat('sv-SE', {
            timeZone: kind.cron[1],
            dateStyle: 'short',
            timeStyle: 'short',
          });
  }

  /** The daemon was up from `fromMs` to `toMs`, both included in what was due at the end of it. */
  up(fromMs: number, toMs: number): void {
    if (this.#clock !== null) {
      for (const tick of this.#cronTicks(fromMs, toMs)) this.#fire(tick);
      return;
    }
    while (this.#nextMs <= toMs && !this.#isVague) {
      this.#fire(this.#nextMs);
      this.#nextMs += this.kind.intervalMs!;
    }
  }

  /** It was not: what was missed is made up for by one run, of the first tick missed. */
  down(fromMs: number, toMs: number): void {
    const isCaughtUp = !NOT_CAUGHT_UP.has(this.kind.kind);
    if (this.#clock !== null) {
      const missed = this.#cronTicks(fromMs, toMs)[0];
      if (missed !== undefined && isCaughtUp) this.#fire(missed);
    } else if (this.#nextMs <= toMs) {
      const { intervalMs } = this.kind;
      const missed = this.#nextMs;
      this.#fire(missed);
      this.#nextMs = missed + (Math.floor((toMs - missed) / intervalMs!) + 1) * intervalMs!;
    }
  }

  /** The clock was set back to `toMs`: an interval begins anew where its next tick were further away than that. */
  setBack(toMs: number): void {
    if (this.#clock !== null || this.#nextMs <= toMs + this.kind.intervalMs!) return;
    this.#nextMs = toMs + this.kind.intervalMs!;
    this.#isVague = true;
  }

  /** What is wrong with the ticks that became jobs since the last time; null: nothing. */
  faultIn(actual: readonly number[], nowMs: number): string | null {
    const expected = this.#fired;
    this.#fired = [];
    const rest = [...actual];
    if (this.#isVague) this.#settleVague(rest, nowMs);
    const left = [...rest].sort((one, other) => one - other);
    const wanted = [...expected, ...this.#fired].sort((one, other) => one - other);
    this.#fired = [];
    if (JSON.stringify(left) === JSON.stringify(wanted)) return null;
    const text = (ticks: readonly number[]) => ticks.map((each) => new Date(each).toISOString());
    const { source, id } = this.kind;
    return `schedule ${source}/${id} fired at [${text(left)}], not at [${text(wanted)}]`;
  }

  #settleVague(actual: number[], nowMs: number): void {
    const index = actual.findIndex(
      (each) => each >= this.#nextMs && each <= this.#nextMs + LOOK_MS,
    );
    if (index === -1 && nowMs <= this.#nextMs + LOOK_MS) return;
    this.#isVague = false;
    if (index === -1) return;
    const [tick] = actual.splice(index, 1);
    this.#nextMs = tick! + this.kind.intervalMs!;
    this.up(tick!, nowMs);
  }

  #fire(tick: number): void {
    if (this.#everFired.has(tick)) return;
    this.#everFired.add(tick);
    this.#fired.push(tick);
  }

  /** After `fromMs`, up to `toMs`. */
  #cronTicks(fromMs: number, toMs: number): number[] {
    const ticks: number[] = [];
    const first = (Math.floor(fromMs / STEP_MS) + 1) * STEP_MS;
    for (let atMs = first; atMs <= toMs; atMs += STEP_MS) {
      if (this.#isMeant(atMs) && !this.#everFired.has(atMs)) ticks.push(atMs);
    }
    return ticks;
  }

  #isMeant(atMs: number): boolean {
    const now = this.#clock!.format(atMs);
    const before = this.#clock!.format(atMs - STEP_MS);
    if (this.#matches(now)) {
      // An hour that comes twice is meant once, unless every hour is.
      const isRepeated = this.#clock!.format(atMs - 60 * MINUTE_MS) === now;
      return !isRepeated;
    }
    // Clocks that were set forward left out an hour: what was meant in it is due as if they had not been.
    const hourAgo = this.#clock!.format(atMs - 60 * MINUTE_MS);
    return isSkip(hourAgo, before, now) && this.#matches(shifted(now));
  }

  #matches(local: string): boolean {
    const [, , day, hour, minute] = local.split(/\D/).map(Number) as number[];
    const [minutes, hours, days] = this.kind.cron![0].split(' ') as [string, string, string];
    return fits(minutes, minute!) && fits(hours, hour!) && fits(days, day!, 1);
  }
}

const wallMs = (local: string): number => Date.parse(`${local.replace(' ', 'T')}Z`);

/** Whether within the last real hour the clocks went forward by two. */
function isSkip(hourAgo: string, _before: string, now: string): boolean {
  return wallMs(now) - wallMs(hourAgo) > 60 * MINUTE_MS;
}

/** What the clocks would show had they not been set forward. */
function shifted(local: string): string {
  return new Date(wallMs(local) - 60 * MINUTE_MS).toISOString().slice(0, 16).replace('T', ' ');
}

function fits(field: string, value: number, least = 0): boolean {
  if (field === '*') return true;
  const step = /^\*\/(\d+)$/.exec(field);
  return step === null ? Number(field) === value : (value - least) % Number(step[1]) === 0;
}
