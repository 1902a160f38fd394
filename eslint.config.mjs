import nx from '@nx/eslint-plugin';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

const FRAMEWORKS = [
  '@nestjs/*',
  'class-validator',
  'class-transformer',
  'typeorm',
  'pg',
  'kafkajs',
  '@eventstore/*',
  'rxjs',
  'pino',
];

/** A decision must be repeatable in ten years: no clock, no randomness, no I/O, nothing awaited. */
const purity = {
  'no-restricted-imports': [
    'error',
    {
      patterns: [
        {
          group: [
            ...FRAMEWORKS,
            'node:*',
            '../*',
            '../**',
            '@patchtrail/*',
            '!@patchtrail/event-sourcing',
          ],
          message: 'A domain file imports its own folder and @patchtrail/event-sourcing only.',
        },
      ],
    },
  ],
  'no-restricted-globals': [
    'error',
    ...['process', 'console', 'fetch', 'setTimeout', 'setInterval', 'crypto', 'Buffer'].map(
      (name) => ({
        name,
        message: 'A domain file does no I/O.',
      }),
    ),
  ],
  'no-restricted-syntax': [
    'error',
    {
      selector: "NewExpression[callee.name='Date'][arguments.length=0]",
      message: 'Time enters as data.',
    },
    {
      selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
      message: 'Time enters as data.',
    },
    {
      selector: "CallExpression[callee.object.name='Math'][callee.property.name='random']",
      message: 'Randomness enters as data.',
    },
    { selector: 'AwaitExpression', message: 'A decision awaits nothing.' },
  ],
};

/** What may depend on what, by the tags in each package.json. */
const boundaries = {
  '@nx/enforce-module-boundaries': [
    'error',
    {
      allow: [],
      enforceBuildableLibDependency: false,
      depConstraints: [
        {
          sourceTag: 'type:core',
          onlyDependOnLibsWithTags: ['type:core'],
          bannedExternalImports: FRAMEWORKS,
        },
        { sourceTag: 'type:contract', onlyDependOnLibsWithTags: ['type:core', 'type:contract'] },
        {
          sourceTag: 'type:adapter',
          onlyDependOnLibsWithTags: ['type:core', 'type:contract', 'type:adapter'],
        },
        {
          sourceTag: 'type:service',
          onlyDependOnLibsWithTags: ['type:core', 'type:contract', 'type:adapter'],
        },
        {
          sourceTag: 'type:host',
          onlyDependOnLibsWithTags: ['type:core', 'type:contract', 'type:adapter', 'type:service'],
        },
        {
          sourceTag: 'type:testing',
          onlyDependOnLibsWithTags: ['type:core', 'type:contract', 'type:adapter'],
        },
      ],
    },
  ],
};

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '**/coverage/**', '.nx/**', 'tools/planted/**'] },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked],
    plugins: { '@nx': nx },
    languageOptions: {
      parserOptions: { project: './tsconfig.check.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      ...boundaries,
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      complexity: ['error', 10],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      'max-lines': ['error', 400],
      'no-restricted-properties': [
        'error',
        {
          object: 'process',
          property: 'env',
          message: 'The environment is read once, in config.ts.',
        },
      ],
    },
  },
  { files: ['services/*/src/domain/**/*.ts'], ignores: ['**/*.spec.ts'], rules: purity },
  {
    files: ['**/config.ts', 'tools/**/*.ts', 'libs/testing/**/*.ts'],
    rules: { 'no-restricted-properties': 'off' },
  },
  {
    files: ['**/*.spec.ts', '**/*.suite.ts'],
    rules: {
      '@nx/enforce-module-boundaries': 'off',
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  prettier,
);
