export { type DiscoveryConfig, readDiscoveryConfig } from './config.js';
export { discoveryMigrations } from './adapters/postgres/migrations.js';
export { createDiscovery, DiscoveryModule } from './discovery.module.js';
