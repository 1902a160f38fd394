export { ApprovalModule, createApproval } from './approval.module.js';
export { approvalMigrations } from './adapters/postgres/all-migrations.js';
export { approvalReadModels } from './adapters/postgres/read-models.js';
