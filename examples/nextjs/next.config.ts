import type { NextConfig } from 'next'

const config: NextConfig = {
  // Loads the package by Node, once, instead of bundling it into each page and route.
  serverExternalPackages: ['comet-sse'],
  // In a clone, Next would take the folder of the repository, which has a lockfile, too.
  turbopack: { root: import.meta.dirname },
}

export default config
