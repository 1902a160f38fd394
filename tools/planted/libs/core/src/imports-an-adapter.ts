// planted: @nx/enforce-module-boundaries
export { answer } from '@planted/adapter';
