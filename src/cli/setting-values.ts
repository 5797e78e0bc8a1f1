import { cannot } from '../kernel/errors.ts';

export type SettingsPatch = { readonly [key: string]: unknown };

/** More than this is no configuration. */
export const PATCH_BYTES_MAX = 1024 * 1024;

/**
 * `watch.quietMs=10s exclude=["data/x/**"] retention=null` → a patch. A value is JSON where it reads as JSON, else
 * text. @throws INVALID_PARAMS
 */
export function assignments(words: readonly (string | undefined)[]): SettingsPatch {
  const patch: Record<string, unknown> = {};
  for (const word of words) {
    if (word === undefined) continue;
    const at = word.indexOf('=');
    const path = word.slice(0, at).split('.');
    if (at < 1 || path.includes('')) {
      throw cannot('INVALID_PARAMS', 'read', word, 'it is not of the form KEY=VALUE', {
        hint: 'For example: watch.quietMs=10s',
      });
    }
    put(patch, path, readValue(word.slice(at + 1)));
  }
  return patch;
}

function put(patch: Record<string, unknown>, [key, ...rest]: string[], value: unknown): void {
  if (rest.length === 0) {
    patch[key!] = value;
    return;
  }
  const inner = patch[key!];
  const group = typeof inner === 'object' && inner !== null ? { ...inner } : {};
  put(group as Record<string, unknown>, rest, value);
  patch[key!] = group;
}

function readValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A mapping written as JSON. @throws INVALID_PARAMS */
export function patchDocument(text: string, origin: string): SettingsPatch {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = null;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as SettingsPatch;
  }
  throw cannot('INVALID_PARAMS', 'read', origin, 'it is no JSON object');
}
