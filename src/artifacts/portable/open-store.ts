import { join } from 'node:path';
import type { ArtifactsSettings } from '../../config/artifact-settings.ts';
import { cannot } from '../../kernel/errors.ts';
import type { ArtifactStore } from './artifact-store.ts';
import { FileArtifactStore } from './file-store.ts';

type Backend = (settings: ArtifactsSettings['store'], stateDirectory: string) => ArtifactStore;

const BACKENDS: Readonly<Record<string, Backend>> = {
  file: ({ path }, stateDirectory) =>
    new FileArtifactStore(path ?? join(stateDirectory, 'artifacts')),
};

/** The store that the settings name. @throws CONFIG_INVALID for a backend that there is not */
export function openArtifactStore(
  settings: ArtifactsSettings['store'],
  stateDirectory: string,
): ArtifactStore {
  const open = Object.hasOwn(BACKENDS, settings.type) ? BACKENDS[settings.type] : undefined;
  if (open !== undefined) return open(settings, stateDirectory);
  throw cannot('CONFIG_INVALID', 'open artifact store', settings.type, 'there is no such backend', {
    hint: `artifacts.store.type is one of: ${Object.keys(BACKENDS).join(', ')}.`,
  });
}
