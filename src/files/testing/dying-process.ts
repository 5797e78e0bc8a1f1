import { observeDurableSteps } from '../durable-steps.ts';

/** How many durable steps a run takes. */
export async function countSteps(run: () => Promise<unknown>): Promise<number> {
  let steps = 0;
  observeDurableSteps((_step, _path, moment) => {
    if (moment === 'before') steps += 1;
  });
  try {
    await run();
  } finally {
    observeDurableSteps(null);
  }
  return steps;
}

/**
 * Runs as if the process died at the n-th durable step: from there on no step has any effect. Returns false when
 * the run ended before. Quicker than a process, so that every step can be tried.
 */
export async function dieAtStep(
  n: number,
  at: 'before' | 'after',
  run: () => Promise<unknown>,
  options: { readonly withoutLinks?: boolean } = {},
): Promise<boolean> {
  let steps = 0;
  let dead = false;
  observeDurableSteps((step, _path, moment) => {
    if (options.withoutLinks === true && step === 'link' && moment === 'before') {
      throw Object.assign(new Error('EPERM: no links here'), { code: 'EPERM' });
    }
    if (!dead && moment === at) {
      steps += 1;
      dead = steps === n;
    }
    if (dead) throw new Error('the process is dead');
  });
  try {
    await run().catch((error: unknown) => {
      if (!dead) throw error;
    });
  } finally {
    observeDurableSteps(null);
  }
  return dead;
}

/** Makes the n-th durable step fail once, as a full disk does; everything after it works. */
export async function failAtStep(
  n: number,
  code: string,
  run: () => Promise<unknown>,
): Promise<unknown> {
  let steps = 0;
  observeDurableSteps((_step, _path, moment) => {
    if (moment !== 'before') return;
    steps += 1;
    if (steps === n) throw Object.assign(new Error(`${code}: made to fail`), { code });
  });
  try {
    return await run();
  } finally {
    observeDurableSteps(null);
  }
}
