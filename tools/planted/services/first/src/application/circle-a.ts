// planted: no-circular
import { b } from './circle-b.js';

export const a = (n: number): number => (n === 0 ? 0 : b(n - 1));
