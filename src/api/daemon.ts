import { hostname } from 'node:os';
import { isoTime } from '../kernel/clock.ts';
import { cannot } from '../kernel/errors.ts';
import { PROTOCOL_VERSION, PROTOCOL_VERSION_MIN } from '../protocol/protocol-version.ts';
import { daemonStatus, uptimeMs } from './daemon-status.ts';
import type { HandlersOf } from './handler.ts';
import { updateInfo } from './update-info.ts';

/** What this daemon can do beyond the protocol's first version; clients test for names, not versions. */
const CAPABILITIES = ['drills', 'events', 'quarantine', 'recovery', 'restore'] as const;

/** systemd and launchd say so in the environment. */
const isSupervised = ({
  INVOCATION_ID,
  NOTIFY_SOCKET,
  XPC_SERVICE_NAME,
}: NodeJS.ProcessEnv): boolean =>
  INVOCATION_ID !== undefined || NOTIFY_SOCKET !== undefined || XPC_SERVICE_NAME !== undefined;

export const daemonHandlers: HandlersOf<'daemon'> = {
  'daemon.hello': ({ protocol, client }, context, session) => {
    if (protocol < PROTOCOL_VERSION_MIN || protocol > PROTOCOL_VERSION) {
      const state = `this daemon speaks ${PROTOCOL_VERSION_MIN} to ${PROTOCOL_VERSION}`;
      throw cannot('PROTOCOL_MISMATCH', 'speak protocol', String(protocol), state, {
        hint: `Use the client of daemon version ${context.version}.`,
        details: { protocol: PROTOCOL_VERSION, protocolMin: PROTOCOL_VERSION_MIN },
      });
    }
    session.greeted = true;
    session.client = client === undefined ? null : `${client.name} ${client.version}`;
    return {
      protocol: PROTOCOL_VERSION,
      protocolMin: PROTOCOL_VERSION_MIN,
      version: context.version,
      pid: process.pid,
      ready: context.boot().ready,
      host: { name: hostname(), os: process.platform, arch: process.arch },
      capabilities: CAPABILITIES,
    };
  },
  'daemon.ping': (_, context) => ({
    at: isoTime(context.clock.nowMs()),
    pid: process.pid,
    uptimeMs: uptimeMs(context),
  }),
  'daemon.status': (_, context) => daemonStatus(context),
  'daemon.restart': (_, context) => {
    context.logger.info({}, 'restart asked for over the socket');
    context.requestRestart();
    return { stopping: true, supervised: isSupervised(process.env) };
  },
  'daemon.updateInfo': (_, { settings, version }) => updateInfo(settings.stateDirectory, version),
  'daemon.shutdown': (_, context) => {
    context.logger.info({}, 'shutdown asked for over the socket');
    context.requestShutdown();
    return { stopping: true };
  },
};
