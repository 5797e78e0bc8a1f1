import { isAbsolute } from 'node:path';
import nodeCron from 'node-cron';
import { z } from 'zod';

/** The kinds of value that options take beyond plain text and numbers. */

const DURATION_UNITS_MS: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const BYTE_UNITS: Record<string, number> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
};

/** A number in the base unit, or text of a number and a unit: `5s`, `1.5h`, `512MiB`. Null if it is neither. */
function parseQuantity(value: unknown, units: Record<string, number>): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'string' || value.length > 32) return null;
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(value.trim());
  const factor = match === null ? undefined : units[match[2]!];
  return factor === undefined ? null : Math.round(Number(match![1]) * factor);
}

export function parseDurationMs(value: unknown): number | null {
  return parseQuantity(value, DURATION_UNITS_MS);
}

export function parseBytes(value: unknown): number | null {
  return parseQuantity(value, BYTE_UNITS);
}

interface Bounds {
  readonly min: number;
  readonly max: number;
}

function quantity(
  parse: (value: unknown) => number | null,
  { min, max }: Bounds,
  expected: string,
  show: (amount: number) => string,
) {
  return z.unknown().transform((value, context): number => {
    const amount = parse(value);
    if (amount !== null && Number.isInteger(amount) && amount >= min && amount <= max) {
      return amount;
    }
    const message =
      amount === null
        ? `expected ${expected}`
        : `expected a whole value between ${show(min)} and ${show(max)}`;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
}

/** The largest unit that divides the amount: 21600000 → `6h`. */
export function formatDuration(durationMs: number): string {
  const units = Object.entries(DURATION_UNITS_MS).reverse();
  const [unit, factor] = units.find(([, each]) => durationMs % each === 0) ?? ['ms', 1];
  return durationMs === 0 ? '0ms' : `${durationMs / factor}${unit}`;
}

/** The largest binary unit that divides the amount: 1073741824 → `1GiB`. */
export function formatBytes(bytes: number): string {
  const unit = ['TiB', 'GiB', 'MiB', 'KiB'].find((each) => bytes % BYTE_UNITS[each]! === 0);
  return unit === undefined || bytes === 0 ? `${bytes}B` : `${bytes / BYTE_UNITS[unit]!}${unit}`;
}

/** Milliseconds, or text such as `500ms`, `5s`, `2m`, `6h`, `7d`. */
export function duration(bounds: Bounds) {
  return quantity(
    parseDurationMs,
    bounds,
    'milliseconds, or text such as "500ms", "5s", "2m", "6h" or "7d"',
    formatDuration,
  );
}

/** Bytes, or text such as `512MiB`. */
export function byteCount(bounds: Bounds) {
  return quantity(parseBytes, bounds, 'bytes, or text such as "512MiB" or "2GB"', formatBytes);
}

export const IDENTIFIER = /^[a-z0-9][a-z0-9._-]{0,63}$/;

export const identifier = z
  .string()
  .regex(
    IDENTIFIER,
    'expected 1 to 64 of a-z, 0-9, dot, underscore and hyphen, beginning with a letter or digit',
  );

/** What people read: one line, printable, at most 64 characters. */
export const displayName = z
  .string()
  .regex(
    /^(?! )[^\p{C}\p{Zl}\p{Zp}]{1,64}(?<! )$/u,
    'expected 1 to 64 printable characters on one line',
  );

const PATH_BYTES_MAX = 4095;

export const absolutePath = z
  .string()
  .refine((path) => isAbsolute(path), 'expected an absolute path')
  .refine((path) => !path.includes('\0'), 'a path cannot hold a NUL character')
  .refine(
    (path) => Buffer.byteLength(path) <= PATH_BYTES_MAX,
    `expected at most ${PATH_BYTES_MAX} bytes`,
  );

/** Marks the problems that end as INVALID_CRON. */
export const CRON_PROBLEM = 'cron';

/** Five fields, or six with seconds first, as node-cron reads them. */
export const cronExpression = z.string().superRefine((expression, context) => {
  if (expression.length <= 256 && nodeCron.validate(expression)) return;
  const [first] = expression.length <= 256 ? nodeCron.validateDetailed(expression).errors : [];
  const reason = first === undefined ? '' : `: ${first.message}`;
  context.addIssue({
    code: 'custom',
    message: `not a cron expression${reason}`,
    params: { problem: CRON_PROBLEM },
  });
});

/** A time zone of the IANA database, or UTC. */
export const timeZone = z.string().refine((zone) => {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return zone !== '';
  } catch {
    return false;
  }
}, 'not a known time zone');

/** The host's own time zone. */
export function hostTimeZone(): string {
  return new Intl.DateTimeFormat('en').resolvedOptions().timeZone;
}

/** Text as an identifier: lower case, everything else to single hyphens; null if nothing is left. */
export function slug(text: string): string | null {
  const plain = text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9._]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 64)
    .replace(/[-.]+$/, '');
  return IDENTIFIER.test(plain) ? plain : null;
}
