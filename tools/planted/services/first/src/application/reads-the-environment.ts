// planted: no-restricted-properties
export const home = (): string | undefined => process.env['HOME'];
