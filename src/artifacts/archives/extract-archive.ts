import { requireFreeSpace } from '../../files/free-space.ts';
import type { Activity } from '../../kernel/activity.ts';
import { messageOf } from '../../kernel/errors.ts';
import type { ArchiveEntry, ArchiveFormat } from './archive-entry.ts';
import { ArchiveFile } from './archive-file.ts';
import { detectFormat } from './archive-format.ts';
import { checkLinkTarget, pathOfName } from './archive-names.ts';
import { asRefusal, unsafe } from './archive-refusal.ts';
import { ByteReader } from './byte-reader.ts';
import { gunzip, unzstd } from './coded-stream.ts';
import { EXTRACT_LIMITS, type ExtractLimits, ExtractMeter } from './extract-limits.ts';
import { ExtractedTree } from './extracted-tree.ts';
import { PathRegister } from './path-register.ts';
import { TarReader } from './read-tar.ts';
import { checkZipLayout, openZip, readZip } from './read-zip.ts';

export type { ExtractLimits } from './extract-limits.ts';

export interface ExtractOptions {
  readonly activity: Activity;
  readonly limits?: Partial<ExtractLimits>;
  /** `keep` makes them as they are, wherever they lead, and never follows one. @default 'keep' */
  readonly symlinks?: 'keep' | 'refuse';
}

export interface ExtractedArchive {
  readonly format: ArchiveFormat;
  /** Files, directories and symlinks that stood in the archive. */
  readonly entries: number;
  /** Of all files together. */
  readonly bytes: number;
}

/** One pass through an archive; every pass checks everything again. */
interface Pass {
  readonly file: ArchiveFile;
  readonly format: ArchiveFormat;
  readonly options: ExtractOptions;
}

/** Runs through the entries with their paths made plain. @throws LIMIT_EXCEEDED, PATH_UNSAFE and what readers throw */
async function* entriesOf(pass: Pass, meter: ExtractMeter): AsyncGenerator<ArchiveEntry, void> {
  const source = pass.format === 'zip' ? zipEntries(pass, meter) : tarEntries(pass, meter);
  for await (const entry of source) {
    if (entry.type === 'symlink') {
      if (pass.options.symlinks === 'refuse') throw unsafe(entry.path, 'it is a symlink');
      checkLinkTarget(entry.path, entry.linkTarget!);
    }
    const path = pathOfName(entry.path);
    if (path !== '') yield { ...entry, path };
    else if (entry.type !== 'directory') throw unsafe(entry.path, 'it is the archive itself');
  }
}

async function* zipEntries({ file }: Pass, meter: ExtractMeter): AsyncGenerator<ArchiveEntry> {
  const zip = await openZip(
    file,
    ({ entries }) => meter.checkEntries(entries),
    (member) => meter.add({ path: member.path, bytes: member.bytes }),
  );
  await checkZipLayout(zip);
  yield* readZip(zip);
}

async function* tarEntries(
  { file, format }: Pass,
  meter: ExtractMeter,
): AsyncGenerator<ArchiveEntry> {
  const bytes = file.stream(0, file.bytes);
  const decoded = format === 'tar' ? bytes : format === 'tar.gz' ? gunzip(bytes) : unzstd(bytes);
  const reader = new ByteReader(format === 'tar' ? decoded : meter.decoded(decoded), file.path);
  try {
    for await (const entry of new TarReader(reader, file.path).entries()) {
      if (entry === null) meter.addExtension();
      else {
        meter.add(entry);
        yield entry;
      }
    }
  } finally {
    await reader.close();
  }
}

/** Reads all of it once and writes nothing: what is refused is refused before the first byte. */
async function inspect(pass: Pass): Promise<ExtractedArchive> {
  const meter = meterOf(pass);
  const register = new PathRegister();
  const { activity } = pass.options;
  activity.progress({ phase: 'inspect', filesDone: 0, totalFiles: null, totalBytes: null });
  let entries = 0;
  let bytes = 0;
  for await (const entry of entriesOf(pass, meter)) {
    activity.signal.throwIfAborted();
    register.add(entry.path, entry.type === 'directory');
    entries += 1;
    bytes += entry.bytes;
    activity.progress({ filesDone: entries, bytesDone: bytes });
  }
  return { format: pass.format, entries, bytes };
}

async function extract(pass: Pass, tree: ExtractedTree, planned: ExtractedArchive): Promise<void> {
  const register = new PathRegister();
  const { activity } = pass.options;
  const totals = { totalFiles: planned.entries, totalBytes: planned.bytes };
  activity.progress({ phase: 'extract', filesDone: 0, bytesDone: 0, ...totals });
  let filesDone = 0;
  let bytesDone = 0;
  for await (const entry of entriesOf(pass, meterOf(pass))) {
    activity.signal.throwIfAborted();
    activity.progress({ currentFile: entry.path });
    const isDirectory = entry.type === 'directory';
    const isImplied = isDirectory && register.hasDirectory(entry.path);
    for (const above of register.add(entry.path, isDirectory)) await tree.addDirectory(above);
    if (isDirectory && !isImplied) await tree.addDirectory(entry.path);
    await tree.add(entry);
    filesDone += 1;
    bytesDone += entry.bytes;
    activity.progress({ filesDone, bytesDone });
  }
  await tree.finish();
}

const meterOf = ({ file, options }: Pass): ExtractMeter =>
  new ExtractMeter({ ...EXTRACT_LIMITS, ...options.limits }, file.path, file.bytes);

/**
 * Extracts an archive of anybody into `directory`, which is made (0700), must not exist, and is removed again when
 * anything fails. The format is told by the content. The archive is read through and checked before anything is
 * written, so that the room it needs is known. Files are new ones of this process, with `mode & 0o777` and their
 * times; owners are left out.
 * @throws PATH_UNSAFE, LIMIT_EXCEEDED, VERIFY_FAILED for an archive that is damaged or cut off, UNSUPPORTED_FORMAT,
 * NO_SPACE, TARGET_NOT_EMPTY, PATH_NOT_FOUND, an AbortError when cancelled, system errors
 */
export async function extractArchive(
  archivePath: string,
  directory: string,
  options: ExtractOptions,
): Promise<ExtractedArchive> {
  const file = await ArchiveFile.open(archivePath, options.activity);
  try {
    const pass: Pass = { file, format: await detectFormat(file), options };
    const planned = await inspect(pass);
    const tree = await ExtractedTree.make(directory);
    try {
      await requireFreeSpace(directory, planned.bytes, 'extract to');
      await extract(pass, tree, planned);
    } catch (error) {
      await tree.remove().catch((failure: unknown) => {
        options.activity.warn(`Cannot remove "${directory}": ${messageOf(failure)}`);
      });
      throw error;
    }
    return planned;
  } catch (error) {
    throw asRefusal(error, archivePath);
  } finally {
    await file.close();
  }
}
