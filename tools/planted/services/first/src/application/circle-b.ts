// planted: nothing
import { a } from './circle-a.js';

export const b = (n: number): number => (n === 0 ? 1 : a(n - 1));
