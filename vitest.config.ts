import { defineConfig } from 'vitest/config';

const shared = {
  pool: 'forks' as const,
  testTimeout: 30_000,
  hookTimeout: 30_000,
};

// Set by the continuous run, which counts from the JSON report.
const report = process.env['VITEST_REPORT'];

export default defineConfig({
  test: {
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
    maxWorkers: 2,
    projects: [
      { test: { ...shared, name: 'unit', include: ['src/**/*.test.ts'] } },
      {
        test: {
          ...shared,
          name: 'system',
          include: ['test/**/*.test.ts'],
          globalSetup: ['./test/support/build-once.ts'],
          testTimeout: 600_000,
        },
      },
    ],
  },
});
