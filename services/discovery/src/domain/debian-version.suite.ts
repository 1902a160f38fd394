import fc from 'fast-check';

const part = (characters: string) =>
  fc.string({ unit: fc.constantFrom(...characters.split('')), minLength: 0, maxLength: 6 });

/** Short versions over few characters, so that ties and near misses are common. */
export const versionText = fc
  .tuple(
    fc.constantFrom('', '0:', '1:', '12:'),
    fc.constantFrom('0', '1', '9', '10'),
    part('019aZ.+~-'),
    fc.constantFrom('', '-0', '-1', '-1~deb12u1', '-1+b2', '-01', '-3'),
  )
  .map(([epoch, first, rest, revision]) => `${epoch}${first}${rest.replace(/-+$/, '')}${revision}`);
