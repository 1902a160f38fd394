import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rm, writeFileSync } from 'node:fs';
import { createRequire, enableCompileCache, registerHooks } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CACHE = fileURLToPath(
  new URL('../../../../node_modules/.cache/patchtrail-source/', import.meta.url),
);
const OPTIONS = {
  configFile: false,
  swcrc: false,
  sourceMaps: 'inline',
  jsc: {
    target: 'es2023',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
  },
  module: { type: 'es6' },
};
const require = createRequire(import.meta.url);
const RULES = JSON.stringify([require('@swc/core/package.json').version, OPTIONS]);

/** JavaScript of a file; made once for the same text, place, settings and version of swc. */
function transpiled(filename) {
  const source = readFileSync(filename, 'utf8');
  const key = createHash('sha256').update(`${RULES}\0${filename}\0${source}`).digest('hex');
  const kept = join(CACHE, `${key}.js`);
  try {
    return readFileSync(kept, 'utf8');
  } catch {
    const { code } = require('@swc/core').transformSync(source, { ...OPTIONS, filename });
    keep(kept, code);
    return code;
  }
}

/** Whole or not at all, for other processes read it; without a word where nothing can be written. */
function keep(file, code) {
  const unfinished = `${file}.${process.pid}`;
  try {
    mkdirSync(CACHE, { recursive: true });
    writeFileSync(unfinished, code);
    renameSync(unfinished, file);
  } catch {
    rm(unfinished, { force: true }, () => undefined);
  }
}

// Hundreds of specs start the same program.
enableCompileCache(join(CACHE, 'compiled'));

/**
 * Lets plain Node run the TypeScript of this repository as Jest does: from source, decorators
 * included. `node --import <this file> some.ts`
 */
registerHooks({
  resolve(specifier, context, next) {
    if (specifier.startsWith('@patchtrail/'))
      return next(specifier, {
        ...context,
        conditions: [...context.conditions, '@patchtrail/source'],
      });
    const sibling = context.parentURL?.endsWith('.ts') && /^\.{1,2}\/.*\.js$/.test(specifier);
    return next(sibling ? specifier.replace(/\.js$/, '.ts') : specifier, context);
  },
  load(url, context, next) {
    if (!url.startsWith('file:') || !url.endsWith('.ts')) return next(url, context);
    return { format: 'module', source: transpiled(fileURLToPath(url)), shortCircuit: true };
  },
});
