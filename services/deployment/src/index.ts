export { createDeployment, DeploymentModule } from './deployment.module.js';
export { deploymentMigrations } from './adapters/postgres/migrations.js';
export { deploymentReadModels } from './adapters/postgres/read-models.js';
