import { projectionMigrations } from '@patchtrail/event-store';
import { messagingMigrations } from '@patchtrail/messaging';
import { idempotencyMigration } from '@patchtrail/platform';
import { ownMigrations } from './migrations.js';

/** Everything the service's database holds. */
export const approvalMigrations = [
  idempotencyMigration,
  ...messagingMigrations,
  ...projectionMigrations,
  ...ownMigrations,
];
