export { ApprovalModule, createApproval } from './approval.module.js';
export { approvalMigrations } from './adapters/postgres/all-migrations.js';
