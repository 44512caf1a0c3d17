import comet = require('comet-sse')

import { cometKoa } from 'comet-sse/koa'

import Koa = require('koa')

new Koa().use(cometKoa(new comet.Comet(), { path: '/comet', identify: (ctx) => ctx.state.user }))
