// planted: no-restricted-syntax
export const later = async (n: Promise<number>): Promise<number> => (await n) + 1;
