import { type ApiOptions, createApi } from '../api/api.ts';
import { HealthMonitor } from '../health/health-monitor.ts';
import { repositoryProbe, stateProbe } from '../health/probes.ts';
import type { Service } from '../kernel/service.ts';
import { RpcServer } from '../rpc/server.ts';
import type { StateDatabase } from '../state/state-database.ts';

/** What answers clients; `services` in the order in which to start them: health, then the socket. */
export function createApiServices(
  context: Omit<ApiOptions, 'health'>,
  state: StateDatabase,
): { readonly health: HealthMonitor; readonly services: readonly Service[] } {
  const { live, clock, logger, startedMonotonicMs, boot, sourceFacts, schedules, warnings } =
    context;
  const health = new HealthMonitor({
    live,
    clock,
    startedMonotonicMs,
    probes: [stateProbe(state, clock), repositoryProbe(live.current.repositoryDirectory)],
    boot,
    sourceFacts,
    schedules,
    warnings,
  });
  const { socketPath, socketGroup } = live.current;
  const api = createApi({ ...context, health });
  const server = new RpcServer({ ...api, socketPath, socketGroup, clock, logger });
  return { health, services: [health, server] };
}
