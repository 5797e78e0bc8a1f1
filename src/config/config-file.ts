import { open } from 'node:fs/promises';
import { type Document, isCollection, isMap, isScalar, LineCounter, parseDocument } from 'yaml';
import { cannot, messageOf, systemCode } from '../kernel/errors.ts';
import { type ConfigProblem, configError } from './config-problem.ts';

/** Reads a configuration file: YAML 1.2 without tags and with bounded size, depth and aliases. */

export const CONFIG_BYTES_MAX = 1024 * 1024;
const NESTING_MAX = 64;
const ALIASES_MAX = 100;

export interface ConfigDocument {
  readonly value: unknown;
  /** The line and column of a value, of a key, or of the nearest thing around it that the file holds. */
  locate(path: readonly (string | number)[]): { line: number; column: number } | null;
}

/** Never more than one byte beyond the bound is read. */
async function readBounded(path: string): Promise<string> {
  const handle = await open(path, 'r');
  try {
    const status = await handle.stat();
    if (!status.isFile()) {
      throw cannot('CONFIG_INVALID', 'read configuration', path, 'it is not a regular file');
    }
    const buffer = Buffer.alloc(Math.min(status.size, CONFIG_BYTES_MAX) + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    if (length > CONFIG_BYTES_MAX) {
      throw cannot('CONFIG_INVALID', 'read configuration', path, 'it is larger than 1 MiB');
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length));
  } finally {
    await handle.close();
  }
}

/** @throws NOT_FOUND, CONFIG_INVALID, IO_ERROR */
export async function readConfigFile(path: string): Promise<ConfigDocument> {
  let text: string;
  try {
    text = await readBounded(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') {
      throw cannot('NOT_FOUND', 'read configuration', path, 'the file does not exist', {
        cause: error,
      });
    }
    if (error instanceof TypeError) {
      throw cannot('CONFIG_INVALID', 'read configuration', path, 'it is not UTF-8', {
        cause: error,
      });
    }
    if (systemCode(error) === undefined) throw error;
    throw cannot('IO_ERROR', 'read configuration', path, messageOf(error), { cause: error });
  }
  return parseConfig(text, path);
}

/**
 * How deep brackets and indentation nest, at most: an upper bound that costs one pass. The parser recurses per
 * level and would run out of stack before it could say what is wrong.
 */
function nestingBound(text: string): number {
  let open = 0;
  let deepest = 0;
  let indented = 0;
  for (const line of text.split('\n')) {
    // Block levels on one line come from indentation and from `- - -`; each takes at least one column.
    const lead = /^(?:[ ]|[-?:] )*/.exec(line)![0];
    indented = Math.max(indented, lead.length);
    for (const character of line) {
      if (character === '[' || character === '{') open += 1;
      else if ((character === ']' || character === '}') && open > 0) open -= 1;
      deepest = Math.max(deepest, open);
    }
  }
  return Math.max(deepest, Math.floor(indented / 2));
}

function syntaxProblems(document: Document.Parsed): ConfigProblem[] {
  return [...document.errors, ...document.warnings].map((error) => ({
    path: [],
    message: error.message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, ''),
    line: error.linePos?.[0].line ?? null,
    column: error.linePos?.[0].col ?? null,
    isCron: false,
  }));
}

/** @throws CONFIG_INVALID naming every syntax error with its line */
export function parseConfig(text: string, origin: string): ConfigDocument {
  if (nestingBound(text) > NESTING_MAX) {
    throw cannot('CONFIG_INVALID', 'read configuration', origin, 'it nests too deeply');
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    uniqueKeys: true,
    stringKeys: true,
    lineCounter: lines,
  });
  const problems = syntaxProblems(document);
  if (problems.length > 0) throw configError(origin, problems);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: ALIASES_MAX }) ?? {};
  } catch (error) {
    throw cannot('CONFIG_INVALID', 'read configuration', origin, messageOf(error), {
      cause: error,
    });
  }
  return { value, locate: (path) => locate(document, lines, path) };
}

function locate(
  document: Document.Parsed,
  lines: LineCounter,
  path: readonly (string | number)[],
): { line: number; column: number } | null {
  for (let length = path.length; length > 0; length -= 1) {
    const parent =
      length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const last = path[length - 1]!;
    const key = isMap(parent)
      ? parent.items.find(({ key: each }) => isScalar(each) && each.value === last)?.key
      : null;
    const item = isCollection(parent) && key == null ? parent.get(last, true) : key;
    const range = (item as { range?: readonly number[] } | null | undefined)?.range;
    if (range == null) continue;
    const { line, col } = lines.linePos(range[0]!);
    return { line, column: col };
  }
  return null;
}
