/** One program of `dist/`: bundled, cut into pieces where something is imported lazily, and packed into bodies. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { build } from 'esbuild';

/** Messages in forty languages are a fifth of a bundle, and are compiled at every start. */
const englishOnly = {
  name: 'english-only',
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]zod[/\\]v4[/\\]locales[/\\]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
    }));
  },
};

/** For subcommands that are programs of their own, of which there are none. */
const noChildProcessForCommander = {
  name: 'no-child-process-for-commander',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      /[/\\]commander[/\\]/.test(importer) ? { path: 'none', namespace: 'none' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'none' }, () => ({ contents: 'module.exports = {};' }));
  },
};

/** Bundles as modules, which esbuild can split, into `directory`; resolves with what is in each of them. */
async function bundle({ entry, external, define, logLevel }, directory) {
  const { metafile } = await build({
    entryPoints: { main: entry },
    outdir: directory,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    external,
    define: { ...define, 'import.meta.url': 'importMeta.url' },
    plugins: [englishOnly, noChildProcessForCommander],
    metafile: true,
    logLevel,
  });
  return metafile;
}

/**
 * What is imported by a name that only running tells, such as a step of a migration, is no piece of ours: the start of
 * the program imports it, since a text that was compiled by itself cannot.
 */
async function leaveToStart(directory, names) {
  for (const name of names) {
    const path = join(directory, name);
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace(/\bimport\((?=[^"'`\s])/g, 'importModule('));
  }
}

/** The same modules as functions of (exports, require, module): what is imported is evaluated when it is asked for. */
async function toFunctions(directory, names) {
  const { outputFiles } = await build({
    entryPoints: names.map((name) => join(directory, name)),
    outdir: join(directory, 'pieces'),
    bundle: false,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    supported: { 'dynamic-import': false },
    write: false,
    logLevel: 'error',
  });
  return new Map(outputFiles.map(({ path, text }) => [`${basename(path, '.js')}.mjs`, text]));
}

function bodyText(names, texts) {
  const pieces = names.map(
    (name) =>
      `${JSON.stringify(`./${name}`)}: function (exports, require, module) {\n${texts.get(name)}}`,
  );
  return `(function (importMeta, importModule, __filename, __dirname) { return {\n${pieces.join(',\n')}\n} })\n`;
}

/**
 * @param program.isRare of the inputs of a piece: belongs into the second body, which is read when it is needed
 */
export async function packProgram(program, target) {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-pack-'));
  try {
    const metafile = await bundle({ define: {}, ...program }, directory);
    const inputsOf = new Map(
      Object.entries(metafile.outputs).map(([path, { inputs }]) => [
        basename(path),
        Object.keys(inputs),
      ]),
    );
    const names = [...inputsOf.keys()];
    await leaveToStart(directory, names);
    const texts = await toFunctions(directory, names);
    const isRare = (name) => program.isRare?.(inputsOf.get(name)) ?? false;
    const bodies = [names.filter((name) => !isRare(name)), names.filter(isRare)];
    await mkdir(dirname(target), { recursive: true });
    const bodyNames = [];
    for (const body of bodies) {
      if (body.length === 0) continue;
      const text = bodyText(body, texts);
      const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
      bodyNames.push(`${basename(target, '.js')}.${hash}`);
      await writeFile(join(dirname(target), `${bodyNames.at(-1)}.js`), text);
    }
    const start = await readFile(new URL('program-start.cjs', import.meta.url), 'utf8');
    await writeFile(
      target,
      start.replace("['BODIES']", () => JSON.stringify(bodyNames)),
    );
    return metafile;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
