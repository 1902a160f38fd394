export { type Decider, fold } from './decider.js';
export { DomainError } from './domain-error.js';
export type { Message } from './message.js';
export { type Outcome, specFor } from './spec-for.js';
