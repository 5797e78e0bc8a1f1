import { watch } from 'chokidar';

/** File system events below directories: one watch for each directory, none for files, no descriptor of a file. */
export interface WatchRequest {
  /** Existing directories, absolute. */
  readonly roots: readonly string[];
  /** Directories to stay out of. */
  readonly isIgnored: (path: string) => boolean;
  /** Something in this directory changed: a name, or the content, size or times of a file. */
  readonly onChange: (directory: string) => void;
  /** Events are incomplete from here on. */
  readonly onError: (error: Error) => void;
}

export interface DirectoryWatch {
  /** Resolves once every directory is watched, or when it is closed before. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

export type WatchDirectories = (request: WatchRequest) => DirectoryWatch;

interface RawDetails {
  readonly watchedPath?: string;
}

/**
 * chokidar walks the tree and follows new directories. It would watch every file as well; told to ignore all that is
 * not a directory, it leaves the watches of directories, whose raw events tell of the files in them too.
 */
export const watchDirectories: WatchDirectories = ({ roots, isIgnored, onChange, onError }) => {
  const watcher = watch([...roots], {
    ignored: (path, status) => isIgnored(path) || (status !== undefined && !status.isDirectory()),
    ignoreInitial: true,
    followSymlinks: false,
    // What may not be read is not captured either.
    ignorePermissionErrors: true,
    // Else directories named like an editor's temporary files are skipped.
    atomic: false,
    usePolling: false,
  });
  watcher.on('raw', (_event, name, details) => {
    const directory = (details as RawDetails).watchedPath;
    if (directory === undefined) return;
    // Names that are ignored themselves, such as the socket, are no change.
    if (typeof name === 'string' && isIgnored(`${directory}/${name}`)) return;
    onChange(directory);
  });
  watcher.on('error', (error) =>
    onError(error instanceof Error ? error : new Error(String(error))),
  );
  // CHOKIDAR_USEPOLLING in the environment overrides the option; its polling does not see into files.
  if (watcher.options.usePolling) {
    queueMicrotask(() => onError(new Error('CHOKIDAR_USEPOLLING is set')));
  }
  let settle = (): void => {};
  const ready = new Promise<void>((resolve) => {
    settle = resolve;
  });
  watcher.once('ready', settle);
  return {
    ready,
    close: async () => {
      settle();
      const closed = watcher.close();
      // Closing removes the listeners, and what is still under way may fail: an error nobody hears ends the process.
      watcher.on('error', () => {});
      await closed;
    },
  };
};
