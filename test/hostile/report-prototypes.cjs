// Loaded into a daemon under test: on SIGUSR2 it writes what the prototypes of everything have, and its memory.
const { writeFileSync, renameSync } = require('node:fs');

const path = process.env.HOLDFAST_TEST_PROTOTYPES;
if (path !== undefined && process.argv.includes('daemon')) {
  process.on('SIGUSR2', () => {
    const prototypes = [Object, Array, Function, String, Number].map(({ prototype }) =>
      Reflect.ownKeys(prototype).map(String),
    );
    global.gc?.();
    const { heapUsed, rss, external } = process.memoryUsage();
    writeFileSync(`${path}.new`, JSON.stringify({ prototypes, heapUsed, rss, external }));
    renameSync(`${path}.new`, path);
  });
}
