// planted: no-restricted-globals
export const shout = (): void => {
  console.log('!');
};
