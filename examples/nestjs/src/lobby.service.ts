import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common'
import { Comet } from 'comet-sse'
import type { Events } from './events.js'

/** Tells the lobby which users come and go, and ends the streams when the app shuts down. */
@Injectable()
export class LobbyService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #logger = new Logger(LobbyService.name)

  constructor(private readonly comet: Comet<Events>) {}

  onApplicationBootstrap(): void {
    this.comet.on('enter', ({ rid, uid: name }) => this.comet.publish({ rid, event: 'came', data: { name } }))
    this.comet.on('leave', ({ rid, uid: name }) => this.comet.publish({ rid, event: 'went', data: { name } }))
    this.comet.on('error', (error) => this.#logger.error(error))
  }

  /** Nest calls this before it closes the HTTP server, which would wait for the streams. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.comet.close({ drain: 2_000 })
  }
}
