// planted: @nx/enforce-module-boundaries
export { second } from '@planted/second';
