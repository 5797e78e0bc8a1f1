import { cannot } from '../kernel/errors.ts';

/** JSON documents laid over each other: in a layer, what is absent leaves what lies below it. */

export type Layer = { readonly [key: string]: unknown };

const DEPTH_MAX = 32;

/** One value each, for all their parts: half of one policy laid over half of another means neither. */
const WHOLE_VALUES: ReadonlySet<string> = new Set(['retention', 'trigger', 'service']);

export function isLayer(value: unknown): value is Layer {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What `layer` says, else what lies below. Lists and policies are replaced as a whole. */
export function overlaid(below: unknown, layer: Layer): Layer {
  const base = isLayer(below) ? below : {};
  return changed(base, layer, (key, value) =>
    isLayer(value) && !WHOLE_VALUES.has(key) ? overlaid(base[key], value) : value,
  );
}

/**
 * A layer after a patch: null takes an entry out of it, so that what lies below shows again; anything else,
 * 0 and false too, goes into it. @throws INVALID_PARAMS where it nests too deeply
 */
export function patched(layer: Layer, patch: Layer, depth = 0): Layer {
  if (depth > DEPTH_MAX) {
    throw cannot('INVALID_PARAMS', 'apply', 'patch', `it nests deeper than ${DEPTH_MAX} levels`);
  }
  return changed(layer, patch, (key, value) => {
    if (value === null) return undefined;
    if (!isLayer(value) || WHOLE_VALUES.has(key)) return value;
    const below = layer[key];
    const inner = patched(isLayer(below) ? below : {}, value, depth + 1);
    return Object.keys(inner).length === 0 ? undefined : inner;
  });
}

/** A copy with some entries replaced, or left out where `change` gives undefined. */
function changed(
  layer: Layer,
  changes: Layer,
  change: (key: string, value: unknown) => unknown,
): Layer {
  const entries = new Map(Object.entries(layer));
  for (const [key, value] of Object.entries(changes)) {
    const next = change(key, value);
    if (next === undefined) entries.delete(key);
    else entries.set(key, next);
  }
  return Object.fromEntries(entries);
}

/** `watch.quietMs` of everything that a layer says. */
export function layerPaths(layer: Layer, prefix = ''): string[] {
  return Object.entries(layer).flatMap(([key, value]) => {
    const path = `${prefix}${key}`;
    const isGroup = isLayer(value) && !WHOLE_VALUES.has(key);
    return isGroup ? layerPaths(value, `${path}.`) : [path];
  });
}
