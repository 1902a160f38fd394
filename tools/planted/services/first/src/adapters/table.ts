// planted: nothing
export const table = 'rows';
