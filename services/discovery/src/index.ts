export { type DiscoveryConfig, readDiscoveryConfig } from './config.js';
export { createDiscovery, discoveryMigrations, DiscoveryModule } from './discovery.module.js';
