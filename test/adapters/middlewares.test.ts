import assert from 'node:assert/strict'
import compression from 'compression'
import type { NextFunction, Request, Response } from 'express'
import { adapterOf, withApp } from '../support/apps.ts'
import { connect } from '../support/clients.ts'
import { countWrites, deliver } from '../support/deliveries.ts'
import { forcedCompression } from '../support/middlewares.ts'
import '../support/process-guard.ts'

const adapter = adapterOf('Express 5')

const gzip = { headers: { 'accept-encoding': 'gzip' } }

/** A middleware that sees all that is written, as a logger of bodies would. */
function watcher(seen: string[]) {
  return (_req: Request, res: Response, next: NextFunction) => {
    const write = res.write.bind(res)
    res.write = (chunk: Buffer) => {
      seen.push(chunk.toString())
      return write(chunk)
    }
    next()
  }
}

// What every adapter does behind compression, helmet and cors is in the contract.
describe('GET stream behind middlewares that replace res.write', () => {
  it('goes through their write', async () => {
    const seen: string[] = []
    await withApp(adapter, { before: [watcher(seen)] }, async (app) => {
      await deliver(app.comet, await connect(app, 'alice'))
    })
    assert.ok(seen.join('').includes('smörgåsbord 🙂'))
  })

  it('goes through a compression that compresses it although it has no-transform', async () => {
    await withApp(adapter, { before: forcedCompression(adapter) }, async (app) => {
      const writes = await countWrites(async () => deliver(app.comet, await connect(app, 'alice', gzip)))
      assert.ok(writes > 0)
    })
  })

  it('goes past a compression that leaves it alone', async () => {
    let flushed = 0
    const spy = (_req: Request, res: Response & { flush?: () => void }, next: NextFunction) => {
      const { flush } = res
      res.flush = () => {
        flushed += 1
        flush?.call(res)
      }
      next()
    }
    const before = [(req: Request, res: Response, next: NextFunction) => compression()(req, res, next), spy]
    await withApp(adapter, { before }, async (app) => {
      await deliver(app.comet, await connect(app, 'alice', gzip))
    })
    assert.equal(flushed, 0)
  })
})
