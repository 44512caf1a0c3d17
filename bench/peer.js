import { fork } from 'node:child_process'

/** A process that does what it is told, for one that measures it. */
export class Peer {
  #child
  #calls = 0

  /** @param {URL} file @param {string[]} [execArgv] */
  constructor(file, execArgv = []) {
    this.#child = fork(file, { execArgv, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  }

  /**
   * Has the process do something.
   *
   * @param {string} name @param {object} [request]
   * @returns {Promise<any>} what it answered
   */
  ask(name, request = {}) {
    this.#calls += 1
    const call = this.#calls
    const child = this.#child
    return new Promise((resolve, reject) => {
      /** @param {any} reply */
      const onMessage = (reply) => {
        if (reply.call !== call) return
        settle()
        if (reply.error === undefined) resolve(reply.answer)
        else reject(new Error(reply.error))
      }
      /** @param {number | null} code */
      const onExit = (code) => {
        settle()
        reject(new Error(`The process ended with ${code}.`))
      }
      const settle = () => child.off('message', onMessage).off('exit', onExit)
      child.on('message', onMessage).on('exit', onExit)
      child.send({ call, name, request })
    })
  }

  /** Ends the process, after it has put away what it started. */
  async end() {
    const child = this.#child
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    await Promise.race([
      this.ask('end').catch(() => {}),
      new Promise((resolve) => setTimeout(resolve, 2_000)),
    ])
    child.kill('SIGKILL')
    await gone
  }
}

/**
 * In the process: does what is asked.
 *
 * @param {Record<string, (request: any) => unknown>} tasks
 */
export function serve(tasks) {
  process.on('message', async (/** @type {any} */ { call, name, request }) => {
    try {
      process.send?.({ call, answer: await tasks[name]?.(request) })
    } catch (error) {
      process.send?.({ call, error: String(error instanceof Error ? error.stack : error) })
    }
  })
  // The one that measures is gone: nobody would end this one.
  process.on('disconnect', () => process.exit())
}
