import { renameSync, symlinkSync } from 'node:fs';

// Exchanges a directory for a symlink to another and back, as fast as it can: racer.mjs DIRECTORY OUTSIDE
const [directory, outside] = process.argv.slice(2);
const real = `${directory}.real`;
const link = `${directory}.link`;
symlinkSync(outside, link);
process.send?.('ready');
const attempt = (from, to) => {
  try {
    renameSync(from, to);
  } catch (error) {
    // The other side may have made something there meanwhile.
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'EISDIR'].includes(error.code)) throw error;
  }
};
let rounds = 0;
let asked = false;
process.on('message', () => {
  asked = true;
});
const race = () => {
  for (let left = 50; left > 0; left -= 1) {
    attempt(directory, real);
    attempt(link, directory);
    attempt(directory, link);
    attempt(real, directory);
    rounds += 1;
  }
  if (asked) {
    process.send({ rounds }, () => process.exit(0));
  } else setImmediate(race);
};
race();
