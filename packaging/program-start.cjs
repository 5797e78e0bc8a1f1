// Runs the program whose text lies beside this file, in one or two bodies: tables of pieces, each evaluated when it is
// first asked for. What V8 made of a body when it was built lies there too, so that little is compiled anew at a start;
// another release of Node refuses that, and compiles as ever.
const { readFileSync } = require('node:fs');
const { Script } = require('node:vm');

/** Named by their content: what was compiled of another text is never taken. */
const BODIES = ['BODIES'];
const pieces = {};
const evaluated = {};

function compiledBefore(path) {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

function readBody(name) {
  const path = `${__dirname}/${name}`;
  // The text is pure ASCII. In stack traces it bears no place: what was compiled is used wherever it is installed.
  const script = new Script(readFileSync(`${path}.js`, 'latin1'), {
    filename: `${name}.js`,
    cachedData: compiledBefore(`${path}.cache`),
  });
  Object.assign(pieces, script.runInThisContext()(importMeta, importModule, __filename, __dirname));
}

const importModule = (specifier) => import(specifier);
const importMeta = {
  get url() {
    return require('node:url').pathToFileURL(__filename).href;
  },
};

function requirePiece(id) {
  if (!id.startsWith('./')) return require(id);
  const known = evaluated[id];
  if (known !== undefined) return known.exports;
  while (pieces[id] === undefined) readBody(BODIES.shift());
  const piece = { exports: {} };
  evaluated[id] = piece;
  pieces[id](piece.exports, requirePiece, piece);
  return piece.exports;
}

module.exports = requirePiece('./main.mjs');
