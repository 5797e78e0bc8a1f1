import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quietActivity } from '../../kernel/activity.ts';
import { systemClock } from '../../kernel/clock.ts';
import type { Content } from '../chunks/content.ts';
import {
  initRepository,
  type OpenWriterOptions,
  openWriter,
  type ReconcileReport,
} from '../repository.ts';
import type { StoreReader, StoreWriter } from '../store.ts';
import { fileEntry, manifestOf, sourceOf } from './manifests.ts';

export const activity = quietActivity();

export type Writer = StoreWriter & { readonly reconciled: ReconcileReport };

/** A new folder that `dispose` removes. */
export async function scratchFolder(): Promise<{ path: string; dispose(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'holdfast-store-'));
  return { path, dispose: () => rm(path, { recursive: true, force: true }) };
}

/** A new, empty repository that `dispose` removes. */
export async function scratchRepository(): Promise<{ path: string; dispose(): Promise<void> }> {
  const folder = await scratchFolder();
  const path = join(folder.path, 'repository');
  await initRepository(path, { clock: systemClock });
  return { path, dispose: folder.dispose };
}

export function writerOf(path: string, options: Partial<OpenWriterOptions> = {}): Promise<Writer> {
  return openWriter(path, {
    codec: 'auto',
    verifyWrites: 'sample',
    clock: systemClock,
    lockWaitMs: 0,
    purpose: 'test',
    ...options,
  });
}

export interface CommittedFile {
  readonly id: string;
  readonly content: Content;
}

/** Commits a snapshot with the one file `data/file`. `at` orders snapshots: seconds of its moment. */
export async function commitFile(
  writer: StoreWriter,
  bytes: Buffer,
  parent: Content | null = null,
  at = 0,
): Promise<CommittedFile> {
  const content = await writer.writeContent(sourceOf(bytes), parent, activity);
  const tree = await writer.writeTree([fileEntry('file', content)]);
  const capturedAt = new Date(Date.UTC(2026, 0, 1) + at * 1000).toISOString();
  const { id } = await writer.commitSnapshot(
    (statistics) => manifestOf(tree, statistics, { capturedAt }),
    activity,
  );
  return { id, content };
}

export async function contentOf(reader: StoreReader, content: Content): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of reader.readContent(content)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The content of `data/file` of a snapshot, found as a restore finds it. */
export async function fileOf(reader: StoreReader, id: string): Promise<Buffer> {
  const entry = await reader.findEntry(await reader.readManifest(id), 'data/file');
  if (entry.type !== 'file') throw new Error(`data/file is a ${entry.type}`);
  return contentOf(reader, entry.content);
}

/** Repeatable bytes that compress somewhat, as rows of a table do. */
export function rowBytes(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed >>> 0 || 1;
  for (let offset = 0; offset < length; offset += 32) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes.write(`row ${offset} is ${state.toString(36)}`, offset);
  }
  return bytes;
}

/** Repeatable bytes that do not compress. */
export function noiseBytes(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed >>> 0 || 1;
  for (let offset = 0; offset < length; offset += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[offset] = state >>> 24;
  }
  return bytes;
}
