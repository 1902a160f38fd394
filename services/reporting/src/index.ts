export { reportingMigrations } from './adapters/postgres/migrations.js';
export { createReporting, ReportingModule } from './reporting.module.js';
