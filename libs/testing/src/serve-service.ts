import { type Person, type Role, TokenRefused } from '@patchtrail/auth';
import type { CloudEvent, EventDefinition } from '@patchtrail/contracts';
import { busMigrations, openPostgresBus } from '@patchtrail/messaging';
import { createHttpApp, createLogger, type Infra, type Service } from '@patchtrail/platform';
import { type Migration, openDatabase } from '@patchtrail/postgres';
import { freshDatabase } from './fresh-database.js';

export type Served = Readonly<{
  name: string;
  migrations: readonly Migration[];
  create: (infra: Infra) => Promise<Service>;
}>;

export type Shown = Readonly<{ status: number; body: unknown }>;
/** `by` is the token; '' sends none. */
export type Show = (path: string, by?: string) => Promise<Shown>;

/** Who is who: a token is the person's name. */
const PEOPLE: Readonly<Record<string, readonly Role[]>> = {
  pat: ['platform-engineer'],
  ana: ['approver'],
  aud: ['auditor'],
  fin: ['auditor'],
  guest: [],
};
/** Of those who do not have all. */
const DEPARTMENTS: Readonly<Record<string, readonly string[]>> = { fin: ['Finance'] };

function verifyToken(token: string): Promise<Person> {
  const roles = PEOPLE[token];
  if (roles === undefined) return Promise.reject(new TokenRefused('token', 'is not known'));
  const departments = DEPARTMENTS[token] ?? ['*'];
  return Promise.resolve({ kind: 'person', id: token, roles, departments });
}

/**
 * A service that reads the bus, as its host runs it: started, on databases of its own with nothing
 * in them, and over HTTP, where every answer is held against its document.
 */
export async function serveService({ name, migrations, create }: Served) {
  const [own, busDatabase] = [await freshDatabase(name), await freshDatabase('bus')];
  const busOwner = { url: busDatabase.url, applicationName: 'spec', migrations: busMigrations };
  await (await openDatabase(busOwner)).close();
  const db = await openDatabase({ url: own.url, applicationName: 'spec', migrations });
  const bus = await openPostgresBus({ url: busDatabase.url });
  const log = createLogger(`${name}-spec`, 'silent');
  const service = await create({ db, bus, verifyToken, log, now: () => new Date() });
  const docs = [{ name, title: `Patchtrail ${name}`, module: service.module }];
  const app = await createHttpApp({ modules: [service.module], docs, log, checkAnswers: true });
  await service.start();
  const url = await app.listen(0, '127.0.0.1');
  return {
    ...{ db, bus, service, document: app.document(name) },
    show: (path: string, by = 'aud') => show(`${url}${path}`, by),
    publish: async (...messages: readonly (readonly [EventDefinition, CloudEvent])[]) => {
      for (const [{ topic }, message] of messages) await bus.publish(topic, [message]);
    },
    close: async () => {
      await app.close();
      await service.stop();
      await Promise.all([bus.close(), db.close()]);
      await Promise.all([own.drop(), busDatabase.drop()]);
    },
  };
}
export type ServedService = Awaited<ReturnType<typeof serveService>>;

async function show(url: string, by: string): Promise<Shown> {
  const headers = by === '' ? {} : { authorization: `Bearer ${by}` };
  const response = await fetch(url, { headers });
  const body: unknown = await response.json();
  return { status: response.status, body };
}
