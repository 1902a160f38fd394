// planted: no-restricted-syntax
export const isoNow = (): string => new Date().toISOString();
export const millis = (): number => Date.now();
