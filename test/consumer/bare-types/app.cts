import { Comet } from 'comet-sse'

import express = require('comet-sse/express')
import koa = require('comet-sse/koa')
import node = require('comet-sse/node')

const comet = new Comet()
export const middleware = [
  express.cometExpress(comet, { identify: (req) => req.user?.id }),
  koa.cometKoa(comet, { identify: (ctx) => ctx.state.user }),
  node.cometHandler(comet, { identify: ({ headers }) => headers.authorization }),
]
