import { defineConfig, type Rolldown } from 'tsdown'

/**
 * Lets the declarations refer to a host's types without needing them: where `@types/express` is not installed, its
 * types are any instead of an error. Only here, because the bundler drops comments on imports.
 */
const optionalTypes: Rolldown.Plugin = {
  name: 'optional-types',
  generateBundle(_options, bundle) {
    for (const file of Object.values(bundle)) {
      if (file.type !== 'chunk' || !/\.d\.[cm]ts$/.test(file.fileName)) continue
      file.code = file.code.replace(/^import .* from "(express|koa)";$/gm, '// @ts-ignore\n$&')
    }
  },
}

const common = {
  dts: true,
  logLevel: 'warn',
  failOnWarn: true,
  // CommonJS is offered on purpose, and a busy machine is no fault.
  checks: { legacyCjs: false, pluginTimings: false },
} as const

/** The client is one file, which shares nothing with the others. */
const client = { ...common, platform: 'neutral', target: 'es2022', clean: false } as const

export default defineConfig([
  {
    ...common,
    entry: {
      index: 'lib/index.ts',
      express: 'adapters/express.ts',
      koa: 'adapters/koa.ts',
      node: 'adapters/node.ts',
      redis: 'adapters/redis/index.ts',
      nats: 'adapters/nats/index.ts',
      protocol: 'lib/protocol/index.ts',
    },
    format: ['esm', 'cjs'],
    platform: 'node',
    target: 'node20.19',
    clean: true,
    outputOptions: { plugins: [optionalTypes] },
  },
  {
    ...client,
    entry: { client: 'client/index.ts' },
    format: ['esm', 'cjs'],
    tsconfig: 'client/tsconfig.json',
    outExtensions: ({ format }) =>
      format === 'cjs' ? { js: '.cjs', dts: '.d.cts' } : { js: '.mjs', dts: '.d.mts' },
  },
  {
    ...client,
    entry: { 'client.min': 'client/index.ts' },
    format: 'esm',
    dts: false,
    minify: true,
    outExtensions: () => ({ js: '.js' }),
  },
])
