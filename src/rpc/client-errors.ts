import { cannot, type HoldfastError, messageOf, systemCode } from '../kernel/errors.ts';

/** What a client says of a connection that failed; the cause keeps the system's own code. */

export function unreachable(path: string, error: Error): HoldfastError {
  const reasons: Record<string, [state: string, hint: string]> = {
    ENOENT: ['there is no socket', 'Start the daemon, or name its socket with --socket.'],
    ECONNREFUSED: ['nobody answers', 'Start the daemon; it stopped without removing its socket.'],
    EACCES: ['permission denied', 'Run as the user of the daemon, or as a member of its group.'],
    EPERM: ['permission denied', 'Run as the user of the daemon, or as a member of its group.'],
  };
  const [state, hint] = reasons[systemCode(error) ?? ''] ?? [
    messageOf(error),
    'Is the daemon running?',
  ];
  return cannot('DAEMON_UNREACHABLE', 'reach the daemon at', path, state, {
    hint,
    retryable: true,
    cause: error,
  });
}

export function connectionLost(path: string): HoldfastError {
  return cannot('DAEMON_UNREACHABLE', 'reach the daemon at', path, 'the connection has ended', {
    hint: 'The daemon may have stopped; work that it had accepted goes on when it starts again.',
    retryable: true,
  });
}

export function unreadable(path: string, reason: string): HoldfastError {
  return cannot('PROTOCOL_MISMATCH', 'understand the daemon at', path, reason, {
    hint: 'Is this the socket of a Holdfast daemon?',
  });
}

export function timedOut(method: string, timeoutMs: number): HoldfastError {
  return cannot('TIMEOUT', 'call', method, `no answer within ${timeoutMs} ms`, {
    hint: 'The daemon may be busy; what it was asked to do may still happen.',
    retryable: true,
  });
}
