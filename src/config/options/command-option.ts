import { z } from 'zod';

/** Text for the shell, or a program and its arguments. */
export const commandSchema = z.union(
  [
    z.string().min(1, 'expected a command').max(4096),
    z.array(z.string().min(1).max(4096)).min(1, 'expected a program').max(64),
  ],
  { error: 'expected a command for the shell, or a list of a program and its arguments' },
);

export const COMMAND_TYPE = 'command · list of program and arguments';
