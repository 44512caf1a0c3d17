import { equal } from 'node:assert/strict'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import type { Page } from 'playwright-core'
import { Example } from './example.ts'
import { scaled, until } from './inbox.ts'

/** How long a page may take to show what it has been sent. */
const PAGE_MS = scaled(20_000)

/** Starts the example, whose answers have this many tokens, this many in a second. */
export async function startAnswers(tokens: number, rate: number): Promise<Example> {
  Object.assign(process.env, { TOKENS: String(tokens), RATE: String(rate) })
  try {
    return await Example.start('llm')
  } finally {
    delete process.env.TOKENS
    delete process.env.RATE
  }
}

// What a person can see and do on the page.

export const statusOf = async (page: Page) => (await page.getByRole('status').textContent()) ?? ''
export const answerOf = async (page: Page) => (await page.locator('#answer').textContent()) ?? ''
export const countOf = async (page: Page) =>
  Number.parseInt((await page.locator('#count').textContent()) || '0', 10)
export const stopButton = (page: Page) => page.getByRole('button', { name: 'Stop' })

export async function ask(page: Page, question: string): Promise<void> {
  await page.getByLabel('Question').fill(question)
  await page.getByRole('button', { name: 'Ask' }).click()
  await page.waitForURL(/#run=/)
}

/** Waits until the page has shown this many tokens. The answer must still be growing then. */
export async function hasGrown(page: Page, tokens: number): Promise<void> {
  await until(async () => (await countOf(page)) >= tokens, `${tokens} tokens in the page`, PAGE_MS)
  equal(await statusOf(page), 'Writing…')
}

export async function says(page: Page, status: string, patience = PAGE_MS): Promise<void> {
  await until(async () => (await statusOf(page)) === status, `"${status}" in the page`, patience)
}

export interface Run {
  readonly run: string
  /** The position before its first token. */
  readonly position: string
}

/** The run that a page shows. */
export function runOf(page: Page): Run {
  const address = new URLSearchParams(new URL(page.url()).hash.slice(1))
  return { run: address.get('run') ?? '', position: address.get('position') ?? '' }
}

/** The request for the stream of a run. */
export function streamUrl({ url }: Example, uid: string, { run, position }: Run): string {
  return `${url}/comet?${new URLSearchParams({ uid, rid: run, lastEventId: position })}`
}

export interface Answer {
  readonly indexes: readonly number[]
  readonly text: string
  /** The data of `token.end`. */
  readonly end: unknown
}

/** Reads an answer from the server itself, up to its end. */
export async function readAnswer(example: Example, uid: string, run: Run): Promise<Answer> {
  const { body } = await fetch(streamUrl(example, uid, run), { signal: AbortSignal.timeout(PAGE_MS) })
  const events = (body as ReadableStream<Uint8Array<ArrayBuffer>>)
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream())
  const tokens: { readonly index: number; readonly text: string }[] = []
  for await (const { event, data } of events) {
    if (event === 'token') tokens.push(JSON.parse(data))
    if (event !== 'token.end') continue
    const indexes = tokens.map(({ index }) => index)
    return { indexes, text: tokens.map(({ text }) => text).join(''), end: JSON.parse(data) }
  }
  throw new Error('The stream ended before the answer')
}
