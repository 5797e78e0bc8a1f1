import { fileKinds } from './file-kinds.ts';
import type { Kind } from './kind.ts';
import { pageKinds } from './page-kinds.ts';
import { sidecarKinds } from './sidecar-kinds.ts';

export const kinds: readonly Kind[] = [...pageKinds, ...fileKinds, ...sidecarKinds];
