import type { NextConfig } from 'next'

const config: NextConfig = {
  // Loads the package by Node, once, instead of bundling it into each page and route.
  serverExternalPackages: ['comet-sse'],
}

export default config
