import type { EventStore } from '@patchtrail/event-store';
import type { ApiDoc, Infra, Service } from '@patchtrail/platform';
import type { Migration } from '@patchtrail/postgres';

export const SERVICE_NAMES = [
  'discovery',
  'prioritization',
  'approval',
  'deployment',
  'reporting',
] as const;

export type ServiceName = (typeof SERVICE_NAMES)[number];

/** Those whose state is in event streams. */
export const EVENT_SOURCED: readonly ServiceName[] = ['approval', 'deployment'];

/** What a host needs of a service. */
export type HostedService = Readonly<{
  name: ServiceName;
  migrations: readonly Migration[];
  doc: ApiDoc;
  create: (infra: Infra, eventStore: EventStore) => Promise<Service>;
}>;

/** Loaded one by one: a process that hosts a single service carries the code of no other. */
const LOADERS: Readonly<Record<ServiceName, () => Promise<HostedService>>> = {
  discovery: async () => {
    const { createDiscovery, discoveryMigrations, DiscoveryModule } =
      await import('@patchtrail/discovery');
    return {
      ...named('discovery', DiscoveryModule),
      migrations: discoveryMigrations,
      create: (infra) => createDiscovery(infra),
    };
  },
  prioritization: async () => {
    const { createPrioritization, prioritizationMigrations, PrioritizationModule } =
      await import('@patchtrail/prioritization');
    return {
      ...named('prioritization', PrioritizationModule),
      migrations: prioritizationMigrations,
      create: createPrioritization,
    };
  },
  approval: async () => {
    const { createApproval, approvalMigrations, ApprovalModule } =
      await import('@patchtrail/approval');
    return {
      ...named('approval', ApprovalModule),
      migrations: approvalMigrations,
      create: (infra, eventStore) => createApproval({ ...infra, eventStore }),
    };
  },
  deployment: async () => {
    const { createDeployment, deploymentMigrations, DeploymentModule } =
      await import('@patchtrail/deployment');
    return {
      ...named('deployment', DeploymentModule),
      migrations: deploymentMigrations,
      create: (infra, eventStore) => createDeployment({ ...infra, eventStore }),
    };
  },
  reporting: async () => {
    const { createReporting, reportingMigrations, ReportingModule } =
      await import('@patchtrail/reporting');
    return {
      ...named('reporting', ReportingModule),
      migrations: reportingMigrations,
      create: createReporting,
    };
  },
};

export function loadService(name: ServiceName): Promise<HostedService> {
  return LOADERS[name]();
}

function named(name: ServiceName, module: ApiDoc['module']): Pick<HostedService, 'name' | 'doc'> {
  return { name, doc: { name, title: `Patchtrail ${name}`, module } };
}
