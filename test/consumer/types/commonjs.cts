import { Comet, type CometEvent, UserActivityEvent } from 'comet-sse'

import expressAdapter = require('comet-sse/express')

import { cometHandler } from 'comet-sse/node'

import express = require('express')
import http = require('node:http')

const comet = new Comet<{ chat: { text: string } }>()
comet.on('activity', ({ type }) => type === UserActivityEvent.Type.HEARD)
// @ts-expect-error
comet.publish({ uid: undefined as string | undefined, evt: 'x' })
// @ts-expect-error
comet.publish({ evt: { event: 'chat', data: 1 } })
const event: CometEvent = { evt: '' }
comet.publish(event)

express().use('/comet', expressAdapter.cometExpress(comet, { identify: (req) => req.get('x-user') }))
http.createServer(cometHandler(comet, { identify: (req) => req.headers.authorization }))
