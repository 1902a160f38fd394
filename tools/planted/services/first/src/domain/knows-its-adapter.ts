// planted: no-restricted-imports domain-imports-nothing-of-its-service
export { table } from '../adapters/table.js';
