export { ApprovalModule, createApproval } from './approval.module.js';
export { approvalMigrations } from './adapters/postgres/migrations.js';
export { approvalReadModels } from './adapters/postgres/read-models.js';
