import { join } from 'node:path';
import { isInside, realpathOfPlanned } from '../files/safe-path.ts';
import { cannot } from '../kernel/errors.ts';
import type { ManifestRoot } from '../store/manifests/manifest.ts';
import type { RestoreRequest } from './restore-request.ts';

/** Where a root of the snapshot goes. */
export interface TargetRoot {
  /** Real, absolute; may not exist yet. Nothing below it is reached through a symlink. */
  readonly base: string;
  /** Components below `base` at which the root's files stand. */
  readonly prefix: readonly string[];
}

function refuse(path: string, state: string): Error {
  return cannot('PATH_UNSAFE', 'restore to', path, state, {
    hint: 'Choose a directory apart from the repository and from Holdfast’s own state.',
  });
}

/** Where restores go that name no place. */
export const ownRestores = (stateDirectory: string): string => join(stateDirectory, 'restores');

/** Inside Holdfast's own, but for the place that is there for restores. */
function isOwn(target: string, path: string, restores: string): boolean {
  return isInside(target, path) && !(isInside(target, restores) && target !== restores);
}

async function realForbidden(request: RestoreRequest): Promise<string[]> {
  const paths = [...request.forbiddenPaths, request.stateDirectory];
  return Promise.all(paths.map((path) => realpathOfPlanned(path)));
}

async function inPlaceRoot(
  root: ManifestRoot,
  request: RestoreRequest,
  forbidden: readonly string[],
): Promise<TargetRoot> {
  const roots = request.target.type === 'in-place' ? request.target.roots : [];
  const settings = roots.find((each) => each.class === root.class && each.name === root.name);
  if (settings === undefined) {
    throw cannot('NOT_FOUND', 'restore in place', root.prefix, 'the source has no such root now', {
      hint: `Add the root again (it was "${root.path}"), or restore to a directory.`,
    });
  }
  const base = await realpathOfPlanned(settings.path);
  const own = forbidden.find((path) => isInside(base, path));
  if (own !== undefined) throw refuse(base, `it lies inside "${own}"`);
  return { base, prefix: [] };
}

/**
 * Finds where each root goes and refuses places that are Holdfast's own. A target directory that is named through
 * a symlink is taken for what the symlink points at.
 * @throws PATH_UNSAFE, NOT_FOUND for a root that the source does not have any more
 */
export async function findTargetRoots(
  roots: readonly ManifestRoot[],
  request: RestoreRequest,
): Promise<Map<ManifestRoot, TargetRoot>> {
  const forbidden = await realForbidden(request);
  const found = new Map<ManifestRoot, TargetRoot>();
  if (request.target.type === 'in-place') {
    for (const root of roots) found.set(root, await inPlaceRoot(root, request, forbidden));
    return found;
  }
  const base = await realpathOfPlanned(request.target.path);
  const restores = await realpathOfPlanned(ownRestores(request.stateDirectory));
  for (const path of forbidden) {
    if (isOwn(base, path, restores)) throw refuse(base, `it lies inside "${path}"`);
    if (isInside(path, base)) throw refuse(base, `it holds "${path}"`);
  }
  for (const root of roots) found.set(root, { base, prefix: root.prefix.split('/') });
  return found;
}

/** Refuses a single target that is, or would replace, something of Holdfast's own inside a protected root. */
export async function ownPathGuard(
  request: RestoreRequest,
): Promise<(target: string, replacesWhole: boolean) => void> {
  const forbidden = await realForbidden(request);
  const restores = await realpathOfPlanned(ownRestores(request.stateDirectory));
  return (target, replacesWhole) => {
    for (const path of forbidden) {
      if (isOwn(target, path, restores)) throw refuse(target, `it lies inside "${path}"`);
      if (replacesWhole && isInside(path, target)) throw refuse(target, `it holds "${path}"`);
    }
  };
}

export const rootPath = ({ base, prefix }: TargetRoot): string => join(base, ...prefix);
