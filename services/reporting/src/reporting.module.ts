import { type DynamicModule, Module } from '@nestjs/common';
import { TOPICS } from '@patchtrail/contracts';
import { consume, parkedCount } from '@patchtrail/messaging';
import {
  accessProviders,
  background,
  ensureTopics,
  type Infra,
  lagClock,
  readyReport,
  type Service,
} from '@patchtrail/platform';
import { REPORTS_DB, REPORTS_LAG, ReportsController } from './adapters/http/reports.controller.js';
import { projectCompliance } from './adapters/messaging/project-compliance.js';
import { recordEvent } from './adapters/messaging/record-event.js';

const GROUP = 'reporting.trail';

@Module({})
export class ReportingModule {}

/** Composition root: every topic is read, nothing is published. */
export async function createReporting(infra: Infra): Promise<Service> {
  const { db, bus, log } = infra;
  await ensureTopics(bus);
  const work = background();

  const start = () => {
    work.run({
      consumer: consume({
        ...{ bus, db, group: GROUP, topics: TOPICS, signal: work.signal, log },
        apply: async (tx, message) => {
          await recordEvent(tx, message);
          await projectCompliance(tx, message);
        },
      }),
    });
    return Promise.resolve();
  };

  const ready = async () => {
    const parked = await parkedCount(db);
    return readyReport('reporting', [
      { name: 'parked-messages', ok: true, detail: String(parked) },
    ]);
  };

  const module: DynamicModule = {
    module: ReportingModule,
    controllers: [ReportsController],
    providers: [
      ...accessProviders(infra),
      { provide: REPORTS_DB, useValue: db },
      { provide: REPORTS_LAG, useValue: lagClock(infra, GROUP, TOPICS) },
    ],
  };
  return { module, start, stop: work.stop, ready };
}
