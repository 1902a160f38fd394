import { type DynamicModule, Module } from '@nestjs/common';
import { CONSUMERS } from '@patchtrail/contracts';
import { type Apply, consume } from '@patchtrail/messaging';
import {
  accessProviders,
  background,
  backlogChecks,
  ensureTopics,
  type Infra,
  lagClock,
  PARKED_SOURCES,
  parkedMessagesController,
  type ParkedSources,
  readyReport,
  runPurge,
  type Service,
} from '@patchtrail/platform';
import { REPORTS_DB, REPORTS_LAG, ReportsController } from './adapters/http/reports.controller.js';
import { projectCompliance } from './adapters/messaging/project-compliance.js';
import { recordEvent } from './adapters/messaging/record-event.js';

const { group: GROUP, topics } = CONSUMERS.reporting;

const apply: Apply = async (tx, message) => {
  await recordEvent(tx, message);
  await projectCompliance(tx, message);
};

@Module({})
export class ReportingModule {}

/** Composition root: every topic is read, nothing is published. */
export async function createReporting(infra: Infra): Promise<Service> {
  const { db, bus, log, now } = infra;
  await ensureTopics(bus);
  const parked: ParkedSources = { db, consumers: { [GROUP]: apply } };
  const work = background();
  const { signal } = work;

  const start = () => {
    work.run({
      consumer: consume({ bus, db, signal, log, ...CONSUMERS.reporting, apply }),
      purge: runPurge({ db, now, signal, log }),
    });
    return Promise.resolve();
  };

  const ready = async () => readyReport('reporting', await backlogChecks(parked));

  const module: DynamicModule = {
    module: ReportingModule,
    controllers: [ReportsController, parkedMessagesController('reporting')],
    providers: [
      ...accessProviders(infra),
      { provide: PARKED_SOURCES, useValue: parked },
      { provide: REPORTS_DB, useValue: db },
      { provide: REPORTS_LAG, useValue: lagClock(infra, GROUP, topics) },
    ],
  };
  return { module, start, stop: work.stop, ready };
}
