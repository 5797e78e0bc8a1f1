import { z } from 'zod';
import { withDefault } from '../option.ts';
import { duration, formatDuration } from '../option-values.ts';

/** Shorthands for the commonest shapes of options, and the units of their defaults. */

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
export const MEBIBYTE = 2 ** 20;

/** A duration with a default, written in the documentation as people would. */
export function durationOption(value: number, bounds: { min: number; max: number }, help: string) {
  return withDefault(duration(bounds), value, {
    type: 'duration',
    absent: `\`${formatDuration(value)}\``,
    help,
  });
}

export function choice<const Values extends readonly [string, ...string[]]>(
  values: Values,
  value: Values[number],
  help: string,
) {
  return withDefault(z.enum(values) as z.ZodType<Values[number]>, value, {
    type: values.map((each) => `\`${each}\``).join(' · '),
    help,
  });
}

export function toggle(value: boolean, help: string) {
  return withDefault(z.boolean(), value, { type: 'boolean', help });
}
