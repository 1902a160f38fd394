/** What the tags in package.json cannot see: circles, and the direction inside one service. */
export default {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'domain-imports-nothing-of-its-service',
      severity: 'error',
      from: { path: '^services/[^/]+/src/domain/', pathNot: '\\.(spec|suite|fixture)\\.ts$' },
      to: { path: '^services/[^/]+/src/(?!domain/)' },
    },
    {
      name: 'application-knows-no-adapter',
      severity: 'error',
      from: { path: '^services/[^/]+/src/application/', pathNot: '\\.(spec|suite|fixture)\\.ts$' },
      to: { path: '^services/[^/]+/src/adapters/' },
    },
    {
      name: 'testing-is-for-specs',
      severity: 'error',
      from: { path: '/src/', pathNot: ['\\.(spec|suite|fixture)\\.ts$', '^libs/testing/'] },
      to: { path: '^libs/testing/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['/dist/', '^tools/planted'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.check.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@patchtrail/source', 'import', 'node', 'default'],
    },
  },
};
