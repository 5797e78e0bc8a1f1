import type { UnitDirective } from './systemd-unit.ts';

/**
 * What a daemon on Node can do without. Absent on purpose: MemoryDenyWriteExecute= (V8 compiles at run time),
 * ProcSubset=pid (hides /proc/meminfo), PrivateUsers= and a ban of chown (break restored ownership),
 * RestrictSUIDSGID= (breaks restored directories that hand on their group), LimitAS= (V8 reserves address space).
 */
export const SANDBOX: readonly UnitDirective[] = [
  { key: 'UMask', value: '0077' },
  { key: 'NoNewPrivileges', value: 'yes' },
  {
    key: 'CapabilityBoundingSet',
    value: '',
    comment:
      'A restore that must give files to another user needs CAP_CHOWN, CAP_FOWNER and CAP_DAC_OVERRIDE here.',
  },
  { key: 'AmbientCapabilities', value: '' },
  { key: 'ProtectSystem', value: 'strict' },
  {
    key: 'ProtectHome',
    value: 'yes',
    comment: 'Set to "no" when a protected directory is below /home, /root or /run/user.',
  },
  { key: 'PrivateTmp', value: 'yes' },
  { key: 'PrivateDevices', value: 'yes' },
  { key: 'DevicePolicy', value: 'closed' },
  { key: 'ProtectClock', value: 'yes' },
  { key: 'ProtectHostname', value: 'yes' },
  { key: 'ProtectKernelTunables', value: 'yes' },
  { key: 'ProtectKernelModules', value: 'yes' },
  { key: 'ProtectKernelLogs', value: 'yes' },
  { key: 'ProtectControlGroups', value: 'yes' },
  { key: 'LockPersonality', value: 'yes' },
  { key: 'RestrictNamespaces', value: 'yes' },
  { key: 'RestrictRealtime', value: 'yes' },
  { key: 'RemoveIPC', value: 'yes' },
  {
    key: 'RestrictAddressFamilies',
    value: 'AF_UNIX AF_NETLINK',
    comment: 'AF_NETLINK: Node lists network interfaces through it. Nothing else leaves the host.',
  },
  { key: 'IPAddressDeny', value: 'any' },
  { key: 'SystemCallArchitectures', value: 'native' },
  { key: 'SystemCallFilter', value: '@system-service' },
  { key: 'SystemCallFilter', value: '~@setuid @keyring' },
  { key: 'SystemCallErrorNumber', value: 'EPERM' },
];
