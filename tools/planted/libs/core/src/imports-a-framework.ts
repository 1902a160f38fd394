// planted: @nx/enforce-module-boundaries
export { Subject } from 'rxjs';
