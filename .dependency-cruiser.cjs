/** The direction of dependencies: adapters → lib → eventemitter3 and Node; no way back, and no way round. */
module.exports = {
  forbidden: [
    {
      name: 'no-cycle',
      comment: 'A file can be read, and understood, before those that import it.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'lib-stands-alone',
      comment: 'lib knows no framework and no broker product: it imports itself, eventemitter3 and node:*.',
      severity: 'error',
      from: { path: '^lib/' },
      to: { pathNot: ['^lib/', '^node_modules/eventemitter3/'], dependencyTypesNot: ['core'] },
    },
    {
      name: 'adapters-stand-apart',
      comment: 'An adapter imports lib and what it adapts to, never another adapter.',
      severity: 'error',
      from: { path: '^adapters/([^/.]+)' },
      to: { path: '^adapters/', pathNot: '^adapters/$1(/|\\.ts$)' },
    },
    {
      name: 'adapters-know-one-product',
      comment: 'An adapter imports no third-party package but the one it is named after.',
      severity: 'error',
      from: { path: '^adapters/([^/.]+)' },
      to: { path: '^node_modules/', pathNot: '^node_modules/(@types/)?$1/' },
    },
    {
      name: 'nothing-unresolved',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exoticRequireStrings: [],
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
}
