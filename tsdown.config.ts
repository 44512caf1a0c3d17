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

export default defineConfig({
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
  dts: true,
  clean: true,
  outputOptions: { plugins: [optionalTypes] },
  logLevel: 'warn',
  failOnWarn: true,
  // CommonJS is offered on purpose, and a busy machine is no fault.
  checks: { legacyCjs: false, pluginTimings: false },
})
