import { execFileSync } from 'node:child_process'
import { pending, requireProgram } from './requirements.ts'

const NOT_PERMITTED =
  'Network namespaces are not permitted here. Run the tests as root, a container with the option --privileged'

/** A server's network and a client's, with a cable between them and nothing else. */
export class Namespaces {
  /** Where the server is, in a range that is for documentation only (RFC 5737). */
  readonly address = '192.0.2.1'
  readonly #server = `comet-s-${process.pid}`
  readonly #client = `comet-c-${process.pid}`

  /** Where they cannot be created, the tests are pending. */
  static create(test: Mocha.Context): Namespaces {
    requireProgram(test, 'ip', 'apt-get install iproute2')
    const namespaces = new Namespaces()
    try {
      namespaces.#create()
      return namespaces
    } catch (cause) {
      namespaces.remove()
      return pending(test, NOT_PERMITTED, cause)
    }
  }

  /** What starts a program at the server's place. */
  get atServer(): string[] {
    return ['ip', 'netns', 'exec', this.#server]
  }

  /** What starts a program at the client's place. */
  get atClient(): string[] {
    return ['ip', 'netns', 'exec', this.#client]
  }

  /** From here on every packet is dropped, either way, and nobody is told. */
  cut(): void {
    ip('-n', this.#client, 'link', 'set', 'cable', 'down')
  }

  mend(): void {
    ip('-n', this.#client, 'link', 'set', 'cable', 'up')
  }

  remove(): void {
    for (const name of [this.#server, this.#client]) {
      try {
        ip('netns', 'delete', name)
      } catch {
        // It was not made.
      }
    }
  }

  #create(): void {
    ip('netns', 'add', this.#server)
    ip('netns', 'add', this.#client)
    const peer = ['type', 'veth', 'peer', 'name', 'cable', 'netns', this.#client]
    ip('-n', this.#server, 'link', 'add', 'cable', ...peer)
    ip('-n', this.#server, 'address', 'add', `${this.address}/30`, 'dev', 'cable')
    ip('-n', this.#client, 'address', 'add', '192.0.2.2/30', 'dev', 'cable')
    ip('-n', this.#server, 'link', 'set', 'cable', 'up')
    ip('-n', this.#client, 'link', 'set', 'cable', 'up')
    // Some containers may create a namespace, and not start a program in it.
    ip('netns', 'exec', this.#server, process.execPath, '--version')
  }
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
