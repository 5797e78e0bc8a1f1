import { launchdJob, renderGateScript, renderPlist } from './launchd-services.ts';
import type { ServiceDescription, ServiceManager } from './service-description.ts';
import { systemdFiles } from './systemd-services.ts';
import { renderUnit } from './systemd-unit.ts';

export interface ServiceFile {
  readonly manager: ServiceManager;
  /** Relative to the folder named after the manager. */
  readonly path: string;
  readonly text: string;
  readonly executable: boolean;
}

/** Every service file of one manager, rendered. */
export function renderServiceFiles(
  manager: ServiceManager,
  description: ServiceDescription,
): ServiceFile[] {
  if (manager === 'systemd') {
    return systemdFiles(description).map((unit) => ({
      manager,
      path: unit.path,
      text: renderUnit(unit),
      executable: false,
    }));
  }
  return [
    {
      manager,
      path: `${description.label}.plist`,
      text: renderPlist(launchdJob(description)),
      executable: false,
    },
    {
      manager,
      path: 'holdfast-gate.sh',
      text: renderGateScript(description),
      executable: true,
    },
  ];
}
