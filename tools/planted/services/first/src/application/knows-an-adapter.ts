// planted: application-knows-no-adapter
export { table } from '../adapters/table.js';
