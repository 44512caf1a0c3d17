// The parts of frameworks that docs/guides/frameworks.md uses. They are not installed here. `npm run examples` compiles
// programs with the real ones. This is a script with no import or export of its own.

declare module '@nestjs/common' {
  type ClassDecorator = (value: abstract new (...args: never[]) => unknown, context: unknown) => void
  export function Injectable(): ClassDecorator
  export function Module(metadata: { providers?: unknown[]; exports?: unknown[] }): ClassDecorator
  export interface BeforeApplicationShutdown {
    beforeApplicationShutdown(): unknown
  }
}
declare module '@nestjs/core' {
  export const NestFactory: {
    create<App>(module: new () => unknown, options: { forceCloseConnections: boolean }): Promise<App>
  }
}
declare module '@nestjs/platform-express' {
  export interface NestExpressApplication {
    enableShutdownHooks(): void
    get<T>(type: abstract new (...args: never[]) => T): T
    use(path: string, middleware: (req: never, res: never, next: never) => void): void
    listen(port: number): Promise<void>
  }
}
declare module 'next' {
  import type { IncomingMessage, RequestListener } from 'node:http'

  export interface NextApiRequest extends IncomingMessage {
    cookies: Partial<Record<string, string>>
  }
  interface App {
    prepare(): Promise<void>
    getRequestHandler(): RequestListener
  }
  export default function next(options: { dev: boolean }): App
}
declare module 'fastify' {
  // biome-ignore lint/suspicious/noExplicitAny: the guide uses it in plain JavaScript.
  export default function Fastify(): any
}
declare module '@fastify/middie' {
  const plugin: unknown
  export default plugin
}
declare module '@hono/node-server/utils/response' {
  export const RESPONSE_ALREADY_SENT: Response
}
