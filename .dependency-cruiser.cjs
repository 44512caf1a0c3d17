/**
 * The layers of lib, from the ground up. A folder imports itself and the layers below it: no layer above, and no other
 * folder of its own layer. ARCHITECTURE.md has the picture.
 */
const LAYERS = [
  { ground: '^lib/(util/|errors\\.ts|error-table\\.ts|ids\\.ts|diagnostics\\.ts)' },
  { protocol: '^lib/protocol/' },
  { ports: '^lib/ports/' },
  { stream: '^lib/stream/', memory: '^lib/memory/', hooks: '^lib/hooks/' },
  { session: '^lib/session/', history: '^lib/history/' },
  { options: '^lib/options\\.ts$' },
  { node: '^lib/node/' },
  { operations: '^lib/operations/' },
  { comet: '^lib/comet\\.ts$', publisher: '^lib/publisher\\.ts$' },
  { http: '^lib/http/', index: '^lib/index\\.ts$' },
]

const directions = LAYERS.flatMap((layer, height) =>
  Object.entries(layer).map(([folder, path]) => ({
    name: `layer-${folder}`,
    comment: 'A folder of lib imports itself and the layers below it.',
    severity: 'error',
    from: { path },
    to: { path: '^lib/', pathNot: [path, ...LAYERS.slice(0, height).flatMap(Object.values)] },
  })),
)

/** What browsers run, too. */
const NEUTRAL = '^lib/(protocol/|errors\\.ts|error-table\\.ts|util/(validate|kind-of)\\.ts)'

/** The direction of dependencies: adapters → lib → eventemitter3 and Node. No way back, and no way round. */
module.exports = {
  forbidden: [
    ...directions,
    {
      name: 'every-file-has-a-layer',
      comment: 'A file of lib lies in a folder of a layer, or is itself listed in one.',
      severity: 'error',
      from: { path: '^lib/', pathNot: LAYERS.flatMap(Object.values) },
      to: {},
    },
    {
      name: 'protocol-is-neutral',
      comment:
        'The protocol and what it stands on run in browsers: they import each other and nothing of Node.',
      severity: 'error',
      from: { path: NEUTRAL },
      to: { pathNot: NEUTRAL },
    },
    {
      name: 'no-cycle',
      comment: 'A file can be read and understood before those that import it.',
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
      name: 'client-stands-apart',
      comment:
        'The client runs in browsers: it imports itself and the protocol, nothing of Node and no package.',
      severity: 'error',
      from: { path: '^client/' },
      to: { pathNot: ['^client/', '^lib/protocol/'] },
    },
    {
      name: 'nobody-imports-the-client',
      comment: 'An adapter does not know the client. Nor does lib, which stands alone.',
      severity: 'error',
      from: { path: '^adapters/' },
      to: { path: '^client/' },
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
      to: { path: '^node_modules/', pathNot: '^node_modules/((@types/)?$1/|@$1-io/)' },
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
