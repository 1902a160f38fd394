import { openDatabase } from '@patchtrail/postgres';
import { freshProvisioned } from '@patchtrail/testing';
import { describeBus } from '../bus.suite.js';
import { busGrants, busMigrations } from './migrations.js';
import { openPostgresBus } from './postgres-bus.js';

describeBus('the PostgreSQL bus', async () => {
  const provisioned = await freshProvisioned([{ database: 'bus', role: 'bus', ownsSchema: false }]);
  const { url, ownerUrl } = provisioned.databases.get('bus') ?? { url: '', ownerUrl: '' };
  const owner = await openDatabase({
    url: ownerUrl,
    applicationName: 'spec',
    migrations: busMigrations,
  });
  await owner.run(busGrants(new URL(url).username));
  return {
    deadlineMs: 10_000,
    open: () => openPostgresBus({ url, pace: { redeliveryMs: 10 } }),
    inRolledBackTransaction: async (work) => {
      const undo = new Error('undo');
      const undone = owner.transaction(async () => {
        await work();
        throw undo;
      });
      await undone.catch((error: unknown) => {
        if (error !== undo) throw error;
      });
    },
    close: async () => {
      await owner.close();
      await provisioned.drop();
    },
  };
});
