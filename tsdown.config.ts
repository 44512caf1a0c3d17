import { defineConfig } from 'tsdown'

export default defineConfig({
  entry: {
    index: 'lib/index.ts',
    express: 'adapters/express.ts',
    koa: 'adapters/koa.ts',
    node: 'adapters/node.ts',
  },
  format: ['esm', 'cjs'],
  platform: 'node',
  target: 'node20.19',
  dts: true,
  clean: true,
  logLevel: 'warn',
})
