import { fork } from 'node:child_process'

/** A child process that runs tasks for the process that measures it. */
export class Peer {
  #child
  #calls = 0

  /**
   * @param {URL} file
   * @param {{ execArgv?: string[], env?: Record<string, string> }} [options] `env` is added to this process's
   */
  constructor(file, { execArgv = process.execArgv, env = {} } = {}) {
    const stdio = /** @type {const} */ (['ignore', 'inherit', 'inherit', 'ipc'])
    this.#child = fork(file, { execArgv, env: { ...process.env, ...env }, stdio: [...stdio] })
  }

  /**
   * Runs a task in the process.
   *
   * @param {string} name @param {object} [request]
   * @returns {Promise<any>} the result of the task; rejects when the task throws or the process exits
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

  /** Runs the task `end`, which may stop what the process has started, and kills the process at most 2 s later. */
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
 * Runs tasks for the parent process. To be called in the child process. Without a task `end` the process exits by itself
 * at the end, so that Node writes a profile where one is asked for: `node --cpu-prof bench/cluster/broker.js`.
 *
 * @param {Record<string, (request: any) => unknown>} tasks
 */
export function serve(tasks) {
  /** @type {typeof tasks} */
  const all = { end: () => process.exit(), ...tasks }
  process.on('message', async (/** @type {any} */ { call, name, request }) => {
    try {
      process.send?.({ call, answer: await all[name]?.(request) })
    } catch (error) {
      process.send?.({ call, error: String(error instanceof Error ? error.stack : error) })
    }
  })
  // The parent process has exited, so nothing else would end this one.
  process.on('disconnect', () => process.exit())
}
