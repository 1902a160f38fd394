export const example = 3;
