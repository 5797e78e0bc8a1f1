// Loaded before a program while it is being built: notes what V8 compiled of it, for its next starts.
// HOLDFAST_RECORD: the programs whose compiled form is kept, as absolute paths without `.js`, separated by commas.
const { chmodSync, renameSync, writeFileSync } = require('node:fs');
const { basename, dirname, join } = require('node:path');
const vm = require('node:vm');

const programs = (process.env.HOLDFAST_RECORD ?? '').split(',');
const scripts = [];

vm.Script = class extends vm.Script {
  constructor(text, options) {
    super(text, options);
    const body = options?.filename ?? '';
    const program = programs.find((path) => basename(path) === body.split('.')[0]);
    if (program !== undefined) scripts.push({ script: this, path: join(dirname(program), body) });
  }
};

process.on('exit', () => {
  for (const { script, path } of scripts) {
    const target = path.replace(/\.js$/, '.cache');
    const half = `${target}.${process.pid}`;
    // By renaming: programs may end at the same time, and others start meanwhile.
    writeFileSync(half, script.createCachedData());
    chmodSync(half, 0o644);
    renameSync(half, target);
  }
});
