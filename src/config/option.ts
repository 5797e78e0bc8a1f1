import { z } from 'zod';

/**
 * One record per option: its schema, its default and the words that explain it. The schema of the configuration
 * file, the flags' help and docs/configuration.md all come from these records.
 */
export interface Option<Schema extends z.ZodType = z.ZodType> {
  readonly schema: Schema;
  /** The type as the documentation names it. */
  readonly type: string;
  /** What holds when the option is absent, in words. */
  readonly absent: string;
  readonly help: string;
  /** The command-line flag that wins over the file. */
  readonly flag: string | null;
  /** The environment variable that wins over the file, but not over the flag. */
  readonly variable: string | null;
}

export interface OptionText {
  readonly type: string;
  readonly help: string;
  readonly flag?: string;
  readonly variable?: string;
  /** Overrides how the default is written in the documentation. */
  readonly absent?: string;
}

function option<Schema extends z.ZodType>(
  schema: Schema,
  absent: string,
  text: OptionText,
): Option<Schema> {
  return {
    schema,
    type: text.type,
    absent: text.absent ?? absent,
    help: text.help,
    flag: text.flag ?? null,
    variable: text.variable ?? null,
  };
}

/** An option that must be given. */
export function required<Schema extends z.ZodType>(schema: Schema, text: OptionText) {
  return option(schema, 'required', text);
}

/** An option with a constant default. */
export function withDefault<Schema extends z.ZodType>(
  schema: Schema,
  value: z.util.NoUndefined<z.output<Schema>>,
  text: OptionText,
) {
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  return option(schema.default(value), `\`${shown}\``, text);
}

/** An option whose default is computed from others or from the host; `absent` says how. */
export function computed<Schema extends z.ZodType>(
  schema: Schema,
  text: OptionText & { readonly absent: string },
) {
  return option(schema.optional(), text.absent, text);
}

export type Options = Readonly<Record<string, Option>>;

type ShapeOf<Records extends Options> = { [Key in keyof Records]: Records[Key]['schema'] };

/** The schema of an object with exactly these options: unknown keys are refused. */
export function objectOf<Records extends Options>(records: Records) {
  const shape = Object.fromEntries(
    Object.entries(records).map(([key, { schema }]) => [key, schema]),
  );
  return z.strictObject(shape as ShapeOf<Records>);
}

/** A group of options that may be left out as a whole. Every option of it needs a default. */
export function groupOf<Records extends Options>(records: Records, text: OptionText) {
  const schema = objectOf(records);
  return option(schema.prefault({} as z.input<typeof schema>), 'the defaults below', text);
}
