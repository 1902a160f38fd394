// planted: @nx/enforce-module-boundaries testing-is-for-specs
export { example } from '../../../libs/testing/src/index.js';
