/** Prints the closing line from vitest's JSON report: `N passed, N failed[, N skipped]`. */
import { readFileSync } from 'node:fs';

const [, , path, status] = process.argv;
let report = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0 };
try {
  report = JSON.parse(readFileSync(path, 'utf8'));
} catch {
  // The gate stopped before the tests: lint, types or build failed.
}
// A gate that failed outside a test (lint, types, build, a crashed run) is one failure.
const failed = report.numFailedTests === 0 && status !== '0' ? 1 : report.numFailedTests;
const skipped = report.numPendingTests > 0 ? `, ${report.numPendingTests} skipped` : '';
console.log(`${report.numPassedTests} passed, ${failed} failed${skipped}`);
