export { prioritizationMigrations } from './adapters/postgres/migrations.js';
export { createPrioritization, PrioritizationModule } from './prioritization.module.js';
