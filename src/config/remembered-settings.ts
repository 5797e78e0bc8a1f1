import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cannot, messageOf, systemCode } from '../kernel/errors.ts';
import type { ConfigDocument } from './config-file.ts';
import { REMEMBERED_SETTINGS_NAME } from './default-paths.ts';
import { resolveSettings } from './resolve-settings.ts';
import type { Settings } from './settings.ts';
import { parseChanges, type SettingsChanges } from './settings-changes.ts';

/**
 * The settings that a daemon started with, kept in its state directory: a command that runs while the daemon is
 * down then means the same repository and the same sources, whatever flags the daemon had.
 */

const FORMAT = 1;

/** Replaces a file so that after a crash it has either the old or the new content. */
export type DurableWrite = (path: string, content: string) => Promise<void>;

export function rememberedSettingsPath(stateDirectory: string): string {
  return join(stateDirectory, REMEMBERED_SETTINGS_NAME);
}

/** What was changed while the daemon ran, and how often: as state.db has it, should that be lost. */
export interface RememberedChanges {
  readonly version: number;
  readonly changes: SettingsChanges;
}

/** Keeps the settings in their own state directory, which must exist. */
export async function rememberSettings(
  settings: Settings,
  write: DurableWrite,
  changed: RememberedChanges | null = null,
): Promise<void> {
  const document = { format: FORMAT, settings, ...(changed === null ? {} : { changed }) };
  await write(
    rememberedSettingsPath(settings.stateDirectory),
    `${JSON.stringify(document, null, 2)}\n`,
  );
}

/**
 * The settings that a daemon with this state directory last started with; null if none ever did.
 * @throws CONFIG_INVALID if the file is damaged
 */
export async function readRememberedSettings(stateDirectory: string): Promise<Settings | null> {
  const remembered = await readRememberedDocument(stateDirectory);
  if (remembered === null) return null;
  return resolveSettings({ ...remembered, overrides: new Map(), watch: true, env: {} });
}

/** The changes that the settings remembered here hold; null where there are none that can be read. */
export async function readRememberedChanges(
  stateDirectory: string,
): Promise<RememberedChanges | null> {
  const text = await readFile(rememberedSettingsPath(stateDirectory), 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    const { changed } = JSON.parse(text) as { changed?: { version?: unknown; changes?: unknown } };
    const changes = parseChanges(changed?.changes);
    const version = changed?.version;
    return changes === null || typeof version !== 'number' ? null : { version, changes };
  } catch {
    return null;
  }
}

/** The remembered settings as a document to lay flags over; null if there are none. @throws CONFIG_INVALID */
export async function readRememberedDocument(
  stateDirectory: string,
): Promise<{ document: ConfigDocument; origin: string } | null> {
  const path = rememberedSettingsPath(stateDirectory);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw cannot('IO_ERROR', 'read remembered settings', path, messageOf(error), { cause: error });
  }
  const value = settingsIn(text);
  if (value === null) {
    throw cannot('CONFIG_INVALID', 'read remembered settings', path, 'the file is damaged', {
      hint: 'Name the configuration with --config, or the directories with --data and --repository.',
    });
  }
  return { document: { value, locate: () => null }, origin: path };
}

function settingsIn(text: string): Record<string, unknown> | null {
  try {
    const document = JSON.parse(text) as { format?: unknown; settings?: unknown } | null;
    const isKnown = document?.format === FORMAT && typeof document.settings === 'object';
    return isKnown ? (document.settings as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}
