/** Reads documents that come from another process: whatever is not of the expected shape reads as absent. */

export type LooseDocument = Readonly<Record<string, unknown>>;

export function textField(document: LooseDocument | null, name: string): string | null {
  const value = document?.[name];
  return typeof value === 'string' ? value : null;
}

export function numberField(document: LooseDocument | null, name: string): number | null {
  const value = document?.[name];
  return typeof value === 'number' ? value : null;
}

export function documentField(document: LooseDocument | null, name: string): LooseDocument | null {
  const value = document?.[name];
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as LooseDocument)
    : null;
}

export function listField(document: LooseDocument | null, name: string): readonly LooseDocument[] {
  const value = document?.[name];
  if (!Array.isArray(value)) return [];
  return value.filter((item): item is LooseDocument => typeof item === 'object' && item !== null);
}
