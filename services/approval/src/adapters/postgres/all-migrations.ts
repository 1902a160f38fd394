import { projectionMigrations } from '@patchtrail/event-store';
import { messagingMigrations } from '@patchtrail/messaging';
import { idempotencyMigration, parkedReplaysMigration } from '@patchtrail/platform';
import { ownMigrations } from './migrations.js';

/** Everything the service's database holds. */
export const approvalMigrations = [
  idempotencyMigration,
  parkedReplaysMigration,
  ...messagingMigrations,
  ...projectionMigrations,
  ...ownMigrations,
];
