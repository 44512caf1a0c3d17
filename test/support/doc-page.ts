import type { Browser, BrowserContext, Page } from 'playwright-core'
import { type Block, fileOf } from './doc-blocks.ts'
import type { DocProgram } from './doc-program.ts'
import { Inbox } from './inbox.ts'

/** An event that an EventSource of a page got. */
export interface PageEvent {
  /** `message` for one without a name. */
  readonly event: string
  readonly data: string
  readonly id: string
}

/** What a page may ask of {@link openPage}. */
export interface PageOptions {
  /** A proxy in front of the program. Default: the program itself. */
  readonly origin?: string
  /** Where the page is opened. Default: the path of its mark, or `/`. */
  readonly path?: string
  /**
   * Whether requests may fail, as those of a page do whose server is stopped. Otherwise that is a problem. And the page
   * has a clock that the test can set forward.
   *
   * @default false
   */
  readonly mayFail?: boolean
  /** Cookies and storage that the page shares with others. Default: its own. */
  readonly context?: BrowserContext
}

/** A page of the docs in a real browser. */
export interface DocPage {
  readonly page: Page
  /** All that its EventSources got, `comet.ready` and its kin, too. */
  readonly events: Inbox<PageEvent>
  /** What it has thrown or written as an error to the console. */
  readonly problems: readonly string[]
  /** The next event of this name. */
  next(event: string): Promise<PageEvent>
  close(): Promise<void>
}

const FAILED_REQUEST = /^Failed to load resource/

/**
 * Opens the page of a program: from the program, if its mark names a file, else at the same origin. Nothing is added
 * to its code: the browser itself tells which events it got.
 */
export async function openPage(
  browser: Browser,
  program: DocProgram,
  options: PageOptions = {},
): Promise<DocPage> {
  const block = program.text.blocks.find(({ mark }) => mark?.verb === 'page')
  if (block === undefined) throw new Error(`${program.text.page} has no page for ${program.text.group}`)
  const context = options.context ?? (await browser.newContext())
  const page = await context.newPage()
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(`thrown: ${error.stack ?? error}`))
  page.on('console', (message) => {
    if (message.type() !== 'error') return
    const isRequest = FAILED_REQUEST.test(message.text())
    if (isRequest && (options.mayFail || message.location().url.endsWith('/favicon.ico'))) return
    problems.push(`console: ${message.text()} (${message.location().url})`)
  })
  if (options.mayFail) await page.clock.install()
  const events = await eventsOf(context, page)
  const path = options.path ?? block.mark?.words.find((word) => word.startsWith('/')) ?? '/'
  const url = (options.origin ?? program.origin) + path
  if (fileOf(block) === undefined) {
    await page.route(url, (route) =>
      route.fulfill({ contentType: 'text/html', body: program.here(htmlOf(block)) }),
    )
  }
  const answer = await page.goto(url)
  if (answer?.status() !== 200) throw new Error(`${url} answered ${answer?.status()}`)
  return {
    page,
    events,
    problems,
    next: (name) => events.next(({ event }) => event === name, `event ${name}`),
    close: async () => {
      await page.close()
      if (options.context === undefined) await context.close()
    },
  }
}

function htmlOf({ language, code }: Block): string {
  if (language === 'html') return code
  return `<!doctype html><meta charset="utf-8"><title>Page</title><script type="module">\n${code}</script>`
}

/** Collects the events of all EventSources of a page, from its first one on. */
async function eventsOf(context: BrowserContext, page: Page): Promise<Inbox<PageEvent>> {
  const events = new Inbox<PageEvent>(({ event, data }) => `${event}: ${data}`)
  const devtools = await context.newCDPSession(page)
  devtools.on('Network.eventSourceMessageReceived', ({ eventName, eventId, data }) =>
    events.push({ event: eventName, data, id: eventId }),
  )
  await devtools.send('Network.enable')
  return events
}
